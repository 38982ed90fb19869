"""From the runs of a sweep to curves: a claim's median and interval at each value, and where it crosses its bound."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from lab.record import ClaimResult, ClaimSpec, Run, Verdict
from lab.report.numbers import bound, claim_value, number

LOG_FROM = 20.0  # largest and smallest value this many times apart need a logarithmic axis


@dataclass(frozen=True)
class Swept:
    """A sweep: the knob, all values that were asked for, and the runs that there are, each with its value."""

    knob: str
    values: Sequence[str]
    runs: Sequence[tuple[str, Run]]
    command: str

    @property
    def name(self) -> str:
        """What the knob is called where it stands alone: `BREAKER_OPEN_S`."""
        return self.knob.rpartition(".")[2]

    @property
    def numbers(self) -> list[float] | None:
        """The values as numbers, None where one is a word."""
        try:
            found = [float(value) for value in self.values]
        except ValueError:
            return None
        return found if all(map(math.isfinite, found)) else None

    @property
    def is_log(self) -> bool:
        """Whether the values need a logarithmic axis."""
        found = self.numbers
        return found is not None and min(found) > 0 and max(found) / min(found) >= LOG_FROM


@dataclass(frozen=True)
class Spot:
    """A claim at one value of the knob: its median, and the interval of the trials where there were several.

    `y` is None where nothing was measured; `censored`: at least that much; `high` None with an interval: unbounded.
    """

    value: str
    verdict: Verdict
    why: str
    run: str
    y: float | None = None
    censored: bool = False
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Curve:
    """A claim over the knob; `turned`: the knob changes what it is about. `finding` says it in one sentence."""

    claim: ClaimSpec
    spots: Sequence[Spot]
    turned: bool
    finding: str = field(default="", compare=False)

    @property
    def bounds(self) -> list[float]:
        """Its bound, or both."""
        return [each for each in (self.claim.at_least, self.claim.at_most) if each is not None]


def curves(swept: Swept) -> list[Curve]:
    """Every claim of the runs, in the scenario's order."""
    found: dict[str, list[tuple[str, Run, ClaimResult]]] = {}
    for value, run in swept.runs:
        for result in run.record.judgement.claims if run.record.judgement else ():
            found.setdefault(result.claim.text, []).append((value, run, result))
    lent = {variant for _, run in swept.runs for variant in run.record.lent}
    made = []
    for results in found.values():
        claim = results[0][2].claim
        turned = claim.variant not in lent or (claim.of is not None and claim.of not in lent)
        spots = [_spot(value, run, result) for value, run, result in results]
        made.append(Curve(claim, spots, turned, _finding(swept, claim, spots)))
    return made


def _spot(value: str, run: Run, result: ClaimResult) -> Spot:
    ends = (result.interval.low, result.interval.high) if result.interval else (None, None)
    return Spot(value, result.verdict, result.why, run.path.name, result.value, result.censored, *ends)


def _finding(swept: Swept, claim: ClaimSpec, spots: Sequence[Spot]) -> str:
    """Where it holds and where not, and where it crosses its bound; a point that was not decided is named."""
    spots = _in_order(swept, spots)
    parts = [f"{word} at {_values(spots, verdict, swept)}" for word, verdict in _WORDS if _any(spots, verdict)]
    crossings = list(_crossings(swept, claim, spots))
    if crossings:
        parts.append(f"crosses its bound ({bound(claim)}) {' and '.join(crossings)}")
    elif nearest := _nearest(claim, spots):
        parts.append(f"nearest to its bound ({bound(claim)}) at {nearest.value}: {_measured(nearest, claim)}")
    text = "; ".join(parts)
    return text[:1].upper() + text[1:] + "."


_WORDS: tuple[tuple[str, Verdict], ...] = (("holds", "PASS"), ("fails", "FAIL"), ("is undecided", "UNKNOWN"))


def _any(spots: Sequence[Spot], verdict: Verdict) -> bool:
    return any(spot.verdict == verdict for spot in spots)


def _values(spots: Sequence[Spot], verdict: Verdict, swept: Swept) -> str:
    """`1 to 5`, or the values one by one where others lie between; `every value` where there are no others."""
    which = [at for at, spot in enumerate(spots) if spot.verdict == verdict]
    if len(which) == len(spots) > 1:
        return f"every value, {spots[0].value} to {spots[-1].value}" if swept.numbers else "every value"
    if swept.numbers and len(which) > 2 and which[-1] - which[0] == len(which) - 1:
        return f"{spots[which[0]].value} to {spots[which[-1]].value}"
    return " and ".join(spots[at].value for at in which)


def _in_order(swept: Swept, spots: Sequence[Spot]) -> list[Spot]:
    return sorted(spots, key=lambda spot: float(spot.value)) if swept.numbers else list(spots)


def _crossings(swept: Swept, claim: ClaimSpec, spots: Sequence[Spot]) -> Iterator[str]:
    """Between which values the median passes a bound, and where a straight line between them does."""
    for before, after in pairwise(spots):
        if before.y is None or after.y is None:
            continue
        for edge in (each for each in (claim.at_least, claim.at_most) if each is not None):
            if (before.y > edge) == (after.y > edge) or edge == before.y:
                continue
            if not swept.numbers:
                yield f"from {before.value} to {after.value}"
                continue
            share = (edge - before.y) / (after.y - before.y)
            left, right = float(before.value), float(after.value)
            at = left * (right / left) ** share if swept.is_log else left + (right - left) * share
            yield f"between {before.value} and {after.value}, by a straight line near {number(at, 2)}"


def _nearest(claim: ClaimSpec, spots: Sequence[Spot]) -> Spot | None:
    """The measured point that is closest to a bound, relative to it."""
    edges = [each for each in (claim.at_least, claim.at_most) if each is not None]
    found = [
        (abs(spot.y - edge) / (abs(edge) or 1.0), at)
        for at, spot in enumerate(spots)
        if spot.y is not None
        for edge in edges
    ]
    return spots[min(found)[1]] if found else None


def _measured(spot: Spot, claim: ClaimSpec) -> str:
    return ("at least " if spot.censored else "") + claim_value(spot.y or 0.0, claim)
