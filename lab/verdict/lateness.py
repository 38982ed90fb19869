"""
Whether the load generator, rather than the system, made a number. Its lateness is start minus due.

A wait runs from the due time, so that all of the lateness is in it. In a queue that serves in order, sending a request
earlier never ends it later: what an on-time request would have waited is at most what is recorded, and at least that
less the lateness. So lateness can make "at most" only harder to hold, and may be a quarter of the bound. It can make
"at least", and the variant under a ratio, look true: there it may be a tenth. Beyond both, a value above its bound may
stay where twice the lateness taken off would leave it there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lab.metrics import Window
from lab.record import ClaimSpec, Verdict
from lab.verdict.as_sent import Reading

HELPS, HINDERS = 0.10, 0.25  # of what is claimed
_MS = {"ms": 1.0, "s": 1000.0}
_PER_MILLE = {"p50_ms": 500, "p90_ms": 900, "p95_ms": 950, "p99_ms": 990, "p999_ms": 999}
_OF_OPERATIONS = {
    "attempts_per_request",
    "error_ratio",
    "max_in_flight",
    "messages_again",
    "messages_lost",
    "requests",
    "requests_lost",
    "stale_reads",
    "success_ratio",
}


@dataclass(frozen=True)
class Asked:
    """A window that a claim's number was taken in, and how late, in ms, its load may be."""

    window: Window
    may_be_ms: float


@dataclass(frozen=True)
class Timing:
    """What is asked of the load in each window, and the claim's verdict (with the sentence) in other readings.

    `late` is how much of the value is lateness, in the metric's unit; None where that has no meaning.
    """

    asked: Sequence[Asked]
    otherwise: Mapping[Reading, tuple[Verdict, str]]
    late: float | None


NO_TIMING = Timing([], {}, None)


def readings(claim: ClaimSpec) -> list[Reading]:
    """The other readings of a run in which a claim's metric can come out differently."""
    if claim.metric.unit in (*_MS, "/s"):
        return ["on-time", "as-sent"]
    return ["as-sent"] if claim.metric.name in _OF_OPERATIONS else []


def asked_of(
    claim: ClaimSpec, value: float | None, mine: Window, other: Window | None = None, other_value: float | None = None
) -> list[Asked]:
    """What a latency claim asks of the load in one trial: a share of its bound, and of the difference that it claims.

    `value` is what the claim came to there, `other_value` the metric of the variant that it is divided by.
    """
    in_ms = _MS.get(claim.metric.unit)
    if in_ms is None or claim.metric.name.startswith("naive_"):
        return []
    found: list[Asked] = []
    for bound, mine_helps in ((claim.at_least, True), (claim.at_most, False)):
        if bound is None or bound <= 0:
            continue
        if other is None:
            spare = max(0.0, (value or 0.0) - bound) / 2
            found.append(Asked(mine, in_ms * max(spare, bound * (HELPS if mine_helps else HINDERS))))
            continue
        differs = bound > 1 if mine_helps else bound < 1
        yardstick_ms = (other_value or 0.0) * in_ms * (min(bound, abs(1 - bound)) if differs else bound)
        found.append(Asked(mine, yardstick_ms * (HELPS if mine_helps else HINDERS)))
        found.append(Asked(other, yardstick_ms * (HINDERS if mine_helps else HELPS)))
    return found


def late_ms(claim: ClaimSpec, window: Window) -> tuple[float, str]:
    """How late the operations that a claim is about were sent: at its own percentile, else at most; and which it is."""
    operations = window.operations
    if "operation" in claim.metric.args:
        operations = operations.where(operations.being("operation", str(claim.metric.args["operation"])))
    if claim.metric.args.get("of", "all") != "all":
        operations = operations.where(operations.being("outcome", "ok" if claim.metric.args["of"] == "ok" else "fail"))
    late = (operations.start_s - operations.due_s) * 1000
    late = np.sort(late[~np.isnan(late)])
    if not len(late):
        return 0.0, ""
    if claim.metric.name == "mean_ms":
        return float(late.mean()), "the mean"
    per_mille = _PER_MILLE.get(claim.metric.name)
    if per_mille is None:
        return float(late[-1]), "the maximum"
    return float(late[-(-per_mille * len(late) // 1000) - 1]), f"p{per_mille / 10:g}"


def too_late(claim: ClaimSpec, timing: Timing, verdict: Verdict) -> str:
    """Why lateness decides a claim, or could; empty where it does not."""
    for asked in timing.asked:
        found_ms, what = late_ms(claim, asked.window)
        if found_ms > asked.may_be_ms:
            return (
                f"rests on the load generator's lateness: {what} of it in {asked.window.text} is {found_ms:.3g} ms, "
                f"and at most {asked.may_be_ms:.3g} ms is small against what is claimed"
            )
    for reading, (other, why) in timing.otherwise.items():
        if other != verdict:
            how = "with each request sent when it was due" if reading == "on-time" else "counted from the sending"
            return f"rests on the load generator's lateness: {how}, it {why}"
    return ""
