"""The small chart in a claim's row: where the value lies against its bound."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from lab.record import ClaimResult, ClaimSpec, Interval

LOG_FROM = 12  # value and bound this many times apart need a logarithmic axis to be seen together
DECADES = 1e6  # what is smaller still lies at the edge


@dataclass(frozen=True)
class Bullet:
    """Positions in percent of the width. `zone` is the side on which the claim holds."""

    value: float
    zone: tuple[float, float]
    bounds: list[float]
    interval: tuple[float, float] | None
    trials: list[float]


def bullet(result: ClaimResult) -> Bullet | None:
    """None where nothing was measured."""
    claim, interval = result.claim, result.interval
    bounds = [b for b in (claim.at_least, claim.at_most) if b is not None]
    trials = [v for v in result.per_trial if v is not None] if len(result.per_trial) > 1 else []
    if result.value is None or not bounds:
        return None
    ends = _ends(interval, max([result.value, *bounds, *trials])) if interval else None
    shown = [result.value, *bounds, *trials, *(ends or ())]
    place = scale_of(shown, claim)
    low = place(claim.at_least) if claim.at_least is not None else 0.0
    high = place(claim.at_most) if claim.at_most is not None else 100.0
    return Bullet(
        value=place(result.value),
        zone=(low, high),
        bounds=[place(b) for b in bounds],
        interval=(place(ends[0]), place(ends[1])) if ends else None,
        trials=[place(v) for v in trials],
    )


def _ends(interval: Interval, furthest: float) -> tuple[float, float]:
    """Of an interval without an upper end, as far as there is anything to draw."""
    return interval.low, furthest if interval.high is None else interval.high


def scale_of(shown: list[float], claim: ClaimSpec) -> Callable[[float], float]:
    """From a value to percent: linear from zero, logarithmic where that would hide one, zoomed near a share of 1."""
    low, high = min(0.0, *shown), max(shown) * 1.15 or 1.0
    least, most = min(shown), max(shown)
    if least > 0 and most / least > LOG_FROM:
        floor = max(least / 3, most * 3 / DECADES)
        return lambda value: _percent(math.log(max(value, floor) / floor) / math.log(most * 3 / floor))
    if claim.is_share and least > 0.9:
        span = max(3 * (1 - least), 1e-4)
        low, high = 1 - span, 1 + span * 0.08
    return lambda value: _percent((value - low) / (high - low))


def _percent(share: float) -> float:
    return round(100 * min(1.0, max(0.0, share)), 2)
