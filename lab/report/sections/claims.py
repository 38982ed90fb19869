"""Claims with measured value, interval, bound and verdict, and the invariants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lab.record import ClaimResult, InvariantResult
from lab.report.bullet import Bullet, bullet
from lab.report.numbers import bound, claim_value, link_text, measured
from lab.report.view import View

TITLE = "Claims"


@dataclass(frozen=True)
class Row:
    """One claim as it stands in the table."""

    result: ClaimResult
    value: str
    bound: str
    interval: str
    where: str
    bullet: Bullet | None


@dataclass(frozen=True)
class Data:
    """Claims and invariants."""

    rows: Sequence[Row]
    invariants: Sequence[InvariantResult]
    trials: int


def build(view: View) -> Data | None:
    """None where nothing was judged."""
    judged = view.judgement
    if judged is None or not (judged.claims or judged.invariants):
        return None
    return Data([_row(result) for result in judged.claims], judged.invariants, view.record.trials)


def _row(result: ClaimResult) -> Row:
    claim = result.claim
    value = "not measured"
    if result.value is not None:
        value = ("at least " if result.censored else "") + claim_value(result.value, claim)
    interval = ""
    if result.interval is not None:
        low, high = measured(result.interval.low), claim_value(result.interval.high, claim)
        interval = f"{low} to {high} ({result.interval.confidence:.0%}, {result.interval.trials} trials)"
    return Row(
        result=result,
        value=value,
        bound=bound(claim),
        interval=interval,
        where=f"{claim.variant} · {claim.phase} · {claim.metric.name}{_args(result)}",
        bullet=bullet(result),
    )


def _args(result: ClaimResult) -> str:
    args = result.claim.metric.args
    return link_text(f"({', '.join(str(value) for value in args.values())})") if args else ""
