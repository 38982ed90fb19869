"""Each claim in every run, by how much the runs differ in it, and what it was in all runs before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lab.record import ClaimResult, ClaimSpec, InvariantResult, Record, Verdict
from lab.report.bullet import scale_of
from lab.report.numbers import bound, claim_value, clock, number, quantity
from lab.verdict.shift import Shift, shift


@dataclass(frozen=True)
class Side:
    """A claim in one run; all but the verdict may be empty."""

    verdict: Verdict
    value: str
    bound: str = ""  # where it is another than the row's


@dataclass(frozen=True)
class Difference:
    """A run against the first: the difference, the factor, and the interval with what it says about chance."""

    text: str
    factor: str
    interval: str
    beyond_chance: bool | None


@dataclass(frozen=True)
class Point:
    """A run in a claim's history, in percent of the width and height; `letter` where it is one of those compared."""

    x: float
    y: float
    verdict: str
    text: str
    letter: str
    full: bool


@dataclass(frozen=True)
class History:
    """A claim over all runs, oldest first. `bounds` are heights in percent; `text` tells it in words."""

    points: Sequence[Point]
    bounds: Sequence[float]
    text: str


@dataclass(frozen=True)
class Row:
    """A claim, or an invariant in one variant, in each run; None where a run does not have it."""

    text: str
    where: str
    bound: str
    kind: str  # control, price or neither
    sides: Sequence[Side | None]
    differences: Sequence[Difference | None]  # of each run but the first, against it
    history: History | None


def rows(records: Sequence[Record], past: Sequence[Record]) -> list[Row]:
    """Every claim and invariant that a run has, in their order. `past` are all runs of the experiment, oldest first."""
    letters = {record.run: "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[at : at + 1] for at, record in enumerate(records)}
    return [*_claims(records, past, letters), *_invariants(records)]


def _claims(records: Sequence[Record], past: Sequence[Record], letters: dict[str, str]) -> Iterator[Row]:
    results = [{r.claim.text: r for r in record.judgement.claims} if record.judgement else {} for record in records]
    for text in dict.fromkeys(text for found in results for text in found):
        here = [found.get(text) for found in results]
        claim = next(result.claim for result in here if result)
        kind = "control" if claim.control else "price" if claim.price else ""
        yield Row(
            text,
            f"{claim.variant}, {claim.phase}",
            bound(claim),
            kind,
            [_side(result, claim) for result in here],
            [_difference(here[0], result) for result in here[1:]],
            history(claim, past, letters),
        )


def _side(result: ClaimResult | None, first: ClaimSpec) -> Side | None:
    if result is None:
        return None
    mine = bound(result.claim)
    return Side(result.verdict, _value(result), mine if mine != bound(first) else "")


def _value(result: ClaimResult) -> str:
    if result.value is None:
        return "not measured"
    return ("≥ " if result.censored else "") + claim_value(result.value, result.claim)


def _difference(first: ClaimResult | None, second: ClaimResult | None) -> Difference | None:
    """None where one of the two has no number, or both are only known to be at least so much."""
    if first is None or second is None or first.value is None or second.value is None:
        return None
    if first.censored or second.censored:
        return Difference("not known: one of the values is only a lower bound", "", "", None)
    trials = [[v for v in r.per_trial if v is not None] for r in (first, second)]
    found = shift(*trials) if min(map(len, trials)) > 1 else Shift(second.value - first.value)
    factor = ""
    if first.value > 0 and second.value > 0 and found.value:
        factor = f"× {number(second.value / first.value)}"
    return Difference(_signed(found.value, first.claim), factor, _interval(found, first.claim), found.beyond_chance)


def _interval(found: Shift, claim: ClaimSpec) -> str:
    if found.low is None or found.high is None or found.confidence is None:
        return ""
    return f"{_signed(found.low, claim)} to {_signed(found.high, claim)} ({found.confidence:.0%})"


def _signed(value: float, claim: ClaimSpec) -> str:
    """A difference in the claim's unit, with its sign; that of two percentages is in points."""
    text = claim_value(abs(value), claim)
    if claim.is_share:
        text = quantity(abs(value) * 100, "points")
    return text if value == 0 else f"{'+' if value > 0 else '−'}{text}"


def _invariants(records: Sequence[Record]) -> Iterator[Row]:
    results = [
        {(r.invariant.text, r.variant): r for r in record.judgement.invariants} if record.judgement else {}
        for record in records
    ]
    for text, variant in dict.fromkeys(key for found in results for key in found):
        here = [found.get((text, variant)) for found in results]
        first = next(result for result in here if result)
        asked = "to be broken" if variant in first.invariant.broken_in else "no violation"
        yield Row(text, f"{variant}, whole run", asked, "", [_kept(r) for r in here], [None for _ in here[1:]], None)


def _kept(result: InvariantResult | None) -> Side | None:
    return Side(result.verdict, f"{result.violations:,} of {result.checked:,}") if result else None


def history(claim: ClaimSpec, past: Sequence[Record], letters: dict[str, str]) -> History | None:
    """A claim's values over all runs that have one; None where that is one run alone."""
    found = [
        (record, result)
        for record in past
        if record.judgement
        for result in record.judgement.claims
        if result.claim.text == claim.text and result.value is not None
    ]
    if len(found) < 2:
        return None
    bounds = [limit for limit in (claim.at_least, claim.at_most) if limit is not None]
    values = [result.value for _, result in found if result.value is not None]
    place = scale_of([*values, *bounds], claim)
    points = [
        Point(
            x=round(3 + 94 * at / (len(found) - 1), 2),
            y=round(100 - place(result.value or 0.0), 2),
            verdict=result.verdict,
            text=_told(record, result),
            letter=letters.get(record.run, ""),
            full=record.is_full,
        )
        for at, (record, result) in enumerate(found)
    ]
    low, high = (claim_value(value, claim) for value in (min(values), max(values)))
    return History(points, [round(100 - place(limit), 2) for limit in bounds], f"{len(found)} runs, {low} to {high}")


def _told(record: Record, result: ClaimResult) -> str:
    unlike = f", {record.unlike}" if record.unlike else ""
    return f"{clock(record.started_epoch_s)}, seed {record.seed}{unlike}: {_value(result)}, {result.verdict}"
