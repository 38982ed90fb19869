"""Claims with measured value, interval, bound and verdict, and the invariants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lab.metrics import definition
from lab.record import ClaimResult, ClaimSpec, Interval, InvariantResult
from lab.record.words import lateness, whose
from lab.report.bullet import Bullet, bullet
from lab.report.numbers import bound, claim_value, link_text
from lab.report.view import View
from lab.verdict.draws import draws

TITLE = "Claims"


@dataclass(frozen=True)
class Row:
    """One claim as it stands in the table."""

    result: ClaimResult
    value: str
    bound: str
    interval: str
    where: str
    meaning: str  # what the metric measures; empty where this lab has none of that name
    bullet: Bullet | None
    late: str  # how much of a latency is the load generator's lateness
    sample: str
    before: str  # what a control claim's metric was before the fault


@dataclass(frozen=True)
class Kept:
    """An invariant in the variants in which the same was found: a row of its own for each would hide what differs."""

    result: InvariantResult  # the first variant's
    variants: Sequence[str]
    checked: int
    expected_broken: bool
    has_anomalies: bool


@dataclass(frozen=True)
class Data:
    """Claims and invariants."""

    rows: Sequence[Row]
    invariants: Sequence[Kept]
    trials: int
    draws: str


def build(view: View) -> Data | None:
    """None where nothing was judged."""
    judged = view.judgement
    if judged is None or not (judged.claims or judged.invariants):
        return None
    trials = view.record.trials
    return Data([_row(result) for result in judged.claims], _kept(judged.invariants), trials, draws(judged, trials))


def _kept(results: Sequence[InvariantResult]) -> list[Kept]:
    """In the order of the scenario; those alike stand where the first of them does."""
    alike: dict[tuple[str, str, str, bool], list[InvariantResult]] = {}
    for result in results:
        expected_broken = result.variant in result.invariant.broken_in
        alike.setdefault((result.invariant.text, result.verdict, result.why, expected_broken), []).append(result)
    return [
        Kept(
            result=same[0],
            variants=[result.variant for result in same],
            checked=sum(result.checked for result in same),
            expected_broken=expected_broken,
            has_anomalies=any(result.anomalies for result in same),
        )
        for (_, _, _, expected_broken), same in alike.items()
    ]


def _row(result: ClaimResult) -> Row:
    claim = result.claim
    value = "not measured"
    if result.value is not None:
        value = ("at least " if result.censored else "") + claim_value(result.value, claim)
    interval = ""
    if result.interval is not None:
        interval = _interval(result.interval, claim)
    return Row(
        result=result,
        value=value,
        bound=bound(claim),
        interval=interval,
        where=f"{claim.variant} · {claim.phase} · {claim.metric.name}{_args(result)}{_whose(claim)}",
        meaning=_meaning(claim),
        bullet=bullet(result),
        late=lateness(result.late, claim),
        sample="" if result.n is None else f"n = {result.n:,}",
        before=_before(result),
    )


def _meaning(claim: ClaimSpec) -> str:
    found = definition(claim.metric.name)
    return found.short if found else ""


def _args(result: ClaimResult) -> str:
    args = [str(value) for name, value in result.claim.metric.args.items() if name != "of"]
    return link_text(f"({', '.join(args)})") if args else ""


def _whose(claim: ClaimSpec) -> str:
    words = whose(claim.metric)
    return f" {words}" if words else ""


def _interval(interval: Interval, claim: ClaimSpec) -> str:
    low, trials = claim_value(interval.low, claim), f"{interval.trials} trials"
    if interval.high is None:
        return f"{low} to more than is known ({trials})"
    return f"{low} to {claim_value(interval.high, claim)} ({interval.confidence:.0%}, {trials})"


def _before(result: ClaimResult) -> str:
    if result.before is not None:
        return f"before the fault: {claim_value(result.before, result.claim)}"
    return f"before the fault: not measured ({result.before_why})" if result.before_why else ""
