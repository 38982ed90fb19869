"""A claim against its bound: the metric in every trial, and what the trials say together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from lab import metrics
from lab.metrics import Measured, Window
from lab.metrics.counts import COUNTS
from lab.record import ClaimResult, ClaimSpec, Run, Verdict
from lab.record.words import bounds, nearest_bound, quantity
from lab.verdict.as_sent import Reading, reread
from lab.verdict.before import already, fault_free_before, missing_before, not_there
from lab.verdict.lateness import NO_TIMING, Asked, Timing, asked_of, readings, too_late
from lab.verdict.trials import Typical, typical, worst

DID_NOT_HURT = "did not hurt: "
MIN_SAMPLES = 20  # below this a median says little and a p90 rests on two samples
MIN_COUNT_UNDER_A_RATIO = 20  # one standard error of a count of 20 is 4.5: a ratio to fewer is mostly chance
SHARES = {"error_ratio", "success_ratio"}


@dataclass(frozen=True)
class Held:
    """What holding a claim's values against its bound came to."""

    verdict: Verdict
    why: str
    typical: Typical | None = None


class Taken:
    """The windows of a run, each opened once, in each reading of its operations."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._runs: dict[str, Run] = {"": run}
        self._windows: dict[tuple[str, str, str, int], Window] = {}

    @property
    def trials(self) -> range:
        """Numbers of the trials, from 1."""
        return range(1, self.run.record.trials + 1)

    def window(self, variant: str, phase: str, trial: int, reading: Reading | Literal[""] = "") -> Window:
        """One variant, phase and trial, as recorded or in another reading."""
        key = (reading, variant, phase, trial)
        if key not in self._windows:
            if reading and reading not in self._runs:
                self._runs[reading] = reread(self.run, reading)
            self._windows[key] = metrics.window(self._runs[reading], variant, phase, trial)
        return self._windows[key]

    def claimed(self, claim: ClaimSpec, trial: int, reading: Reading | Literal[""] = "") -> Measured:
        """What a claim is about in one trial: its metric, or the ratio of that to the other variant's."""
        mine = metrics.measure(claim.metric, self.window(claim.variant, claim.phase, trial, reading))
        if claim.of is None or mine.value is None:
            return mine
        other = metrics.measure(claim.metric, self.window(claim.of, claim.phase, trial, reading))
        return ratio(claim, mine, other)


def judge_claim(taken: Taken, claim: ClaimSpec) -> ClaimResult:
    """Measure a claim in every trial, hold it against the bound, and look for what else could explain the number."""
    values = [taken.claimed(claim, trial) for trial in taken.trials]
    held = hold(claim, values)
    result = ClaimResult(
        claim=claim,
        verdict=held.verdict,
        value=held.typical.value if held.typical else None,
        why=held.why,
        censored=held.typical is not None and held.typical.censored,
        interval=held.typical.interval if held.typical else None,
        per_trial=[measured.value for measured in values],
        n=_smallest(values),
    )
    if held.typical is None:
        return result
    few = _too_few(taken, claim, result.n)
    if few:
        return replace(result, verdict="UNKNOWN", why=few)
    timing = _timing(taken, claim, values, held.typical)
    result = replace(result, late=timing.late)
    late = too_late(claim, timing, held.verdict)
    if late:
        return replace(result, verdict="UNKNOWN", why=late)
    return _in_the_control(taken, result) if claim.control else result


def _too_few(taken: Taken, claim: ClaimSpec, n: int | None) -> str:
    """Why a claim's own sample is too small to say anything: operations of its kind, in its phase; else empty."""
    kind = str(claim.metric.args.get("operation", ""))
    for variant in (claim.variant, claim.of):
        for trial in taken.trials if variant else []:
            operations = taken.window(variant or "", claim.phase, trial).operations
            count = int(operations.being("operation", kind).sum()) if kind else len(operations)
            if n is not None and claim.metric.unit == "ms":
                count = min(count, n)  # of="ok" or "refused" leaves fewer
            if count < MIN_SAMPLES:
                where = taken.window(variant or "", claim.phase, trial).text
                what = f"operations {kind}" if kind else "operations"
                return f"rests on {count} {what} in {where}; at least {MIN_SAMPLES} are needed"
    return ""


def _timing(taken: Taken, claim: ClaimSpec, values: Sequence[Measured], found: Typical) -> Timing:
    """How late the load may be for this claim, and what the claim comes to in other readings of the record."""
    if taken.run.record.spec.load.per_s is None:  # users are never late: nothing is due before they are free
        return NO_TIMING
    asked: list[Asked] = []
    for trial in taken.trials:
        other = taken.window(claim.of, claim.phase, trial) if claim.of else None
        other_value = metrics.measure(claim.metric, other).value if other else None
        mine = taken.window(claim.variant, claim.phase, trial)
        asked += asked_of(claim, values[trial - 1].value, mine, other, other_value)
    otherwise = {
        reading: hold(claim, [taken.claimed(claim, trial, reading) for trial in taken.trials])
        for reading in readings(claim)
    }
    on_time = otherwise["on-time"].typical if "on-time" in otherwise else None
    late = None if on_time is None or claim.of else max(0.0, found.value - on_time.value)
    return Timing(asked, {reading: (held.verdict, held.why) for reading, held in otherwise.items()}, late)


def _in_the_control(taken: Taken, result: ClaimResult) -> ClaimResult:
    """A control claim proves something where it holds, and did not before the fault; it never fails a pattern."""
    claim = result.claim
    if result.verdict == "FAIL":
        return replace(result, verdict="UNKNOWN", why=DID_NOT_HURT + result.why, did_not_hurt=True)
    before = fault_free_before(taken.run.record.spec, claim)
    if before is None or result.verdict != "PASS":
        return result
    early = [missing_before(claim, taken.window(claim.variant, before, trial)) for trial in taken.trials]
    if gone := next((measured for measured in early if measured is not None and measured.value != 0), None):
        return replace(result, verdict="UNKNOWN", why=not_there(before, gone), before=gone.value)
    calm = [_per_length(taken, claim, before, trial) for trial in taken.trials]
    held = hold(claim, calm)
    if held.typical is None:
        return replace(result, before_why=f"{before}: {held.why}")
    result = replace(result, before=held.typical.value)
    if held.verdict != "PASS":
        return result
    return replace(result, verdict="UNKNOWN", why=already(before, held.why))


def _per_length(taken: Taken, claim: ClaimSpec, before: str, trial: int) -> Measured:
    """The claim in a phase before the fault; a count as it would be in a phase as long as the claim's."""
    measured = taken.claimed(replace(claim, phase=before), trial)
    if claim.metric.name not in COUNTS or claim.of is not None or measured.value is None:
        return measured
    here, calm = taken.window(claim.variant, claim.phase, trial), taken.window(claim.variant, before, trial)
    return replace(measured, value=measured.value * here.lasts_s / calm.lasts_s)


# --- values against bounds --------------------------------------------------------------------------------------


def ratio(claim: ClaimSpec, mine: Measured, other: Measured) -> Measured:
    """A value divided by that of the other variant; None with the reason where that says nothing."""
    if other.value is None:
        return replace(mine, value=None, why=f"{claim.of}: {other.why}")
    if other.value == 0:
        return replace(mine, value=None, why=f"{claim.of} has 0, and nothing can be divided by it")
    if other.censored:
        return replace(mine, value=None, why=f"{claim.of} is only known to be at least {other.value:g}")
    counted = _counted(claim, other)
    if counted is not None and counted < MIN_COUNT_UNDER_A_RATIO:
        why = f"{claim.of} has {counted:g}, and a ratio to fewer than {MIN_COUNT_UNDER_A_RATIO} is chance"
        return replace(mine, value=None, why=why)
    return replace(mine, value=mine.value / other.value if mine.value is not None else None)


def _counted(claim: ClaimSpec, other: Measured) -> float | None:
    """How many events a denominator stands for; None for what is no count."""
    if claim.metric.name in COUNTS:
        return other.value
    if claim.metric.name in SHARES and other.n is not None and other.value is not None:
        return other.value * other.n
    return None


def hold(claim: ClaimSpec, values: Sequence[Measured]) -> Held:
    """The values of all trials against the claim's bounds."""
    missing = next((m.why for m in values if m.value is None), None)
    if missing is not None:
        return Held("UNKNOWN", f"could not be measured: {missing}")
    sides = [_side(claim, values, side) for side, bound in _sides(claim) if bound is not None]
    for verdict in ("FAIL", "UNKNOWN"):
        for held in sides:
            if held.verdict == verdict:
                return held
    return replace(sides[0], why=_passed(claim, values, sides[0]))


def _sides(claim: ClaimSpec) -> list[tuple[Literal["at least", "at most"], float | None]]:
    return [("at least", claim.at_least), ("at most", claim.at_most)]


def _passed(claim: ClaimSpec, values: Sequence[Measured], held: Held) -> str:
    assert held.typical is not None
    each = f" in each of {len(values)} trials" if claim.holds_always and len(values) > 1 else ""
    return f"is {_text(claim, held.typical)}{each}, asked {bounds(claim)}"


def _side(claim: ClaimSpec, values: Sequence[Measured], side: Literal["at least", "at most"]) -> Held:
    """One of the bounds: PASS and FAIL only where everything that the value may be agrees."""
    bound = claim.at_least if side == "at least" else claim.at_most
    assert bound is not None
    found = worst(values, highest=side == "at most") if claim.holds_always else typical(values)
    asked = f"asked {side} {quantity(bound, claim)}"
    inside: Callable[[float], bool] = (lambda v: v >= bound) if side == "at least" else (lambda v: v <= bound)
    if inside(found.low) and inside(found.high):
        return Held("PASS", asked, found)
    if not inside(found.low) and not inside(found.high):
        return Held("FAIL", f"is {_text(claim, found)}{_where(claim, values, found)}, {asked}", found)
    return Held("UNKNOWN", _undecided(claim, found, asked), found)


def _where(claim: ClaimSpec, values: Sequence[Measured], found: Typical) -> str:
    """Which trial it was, where one is enough."""
    if not claim.holds_always or len(values) == 1:
        return ""
    at = [m.value for m in values].index(found.value) + 1
    return f" in trial {at} of {len(values)}"


def _undecided(claim: ClaimSpec, found: Typical, asked: str) -> str:
    text = _text(claim, found)
    interval = found.interval
    if interval is None:
        return f"is {text}, and how much more is not known; {asked}"
    low = quantity(interval.low, claim, nearest_bound(claim, interval.low))
    if interval.high is None:
        return f"is inconclusive: {text}, and the trials reach from {low} to more than is known; {asked}"
    high = quantity(interval.high, claim, nearest_bound(claim, interval.high))
    spread = f"the trials reach from {low} to {high}"
    if interval.trials >= 6:
        spread = f"the median lies between {low} and {high} ({interval.confidence:.0%})"
    return f"is inconclusive: {text}, but {spread}; {asked}"


def _text(claim: ClaimSpec, found: Typical) -> str:
    return ("at least " if found.censored else "") + quantity(found.value, claim, nearest_bound(claim, found.value))


def _smallest(values: Sequence[Measured]) -> int | None:
    known = [m.n for m in values if m.n is not None]
    return min(known) if known and len(known) == len(values) else None
