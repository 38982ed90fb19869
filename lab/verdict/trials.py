"""
Several trials as one number: the median with what is known of it, or the worst where a claim holds in every trial.

A value that is only known to be "at least" is infinite wherever something large is asked: in the upper middle of a
median, and at the upper end of an interval. The interval is of order statistics (Conover, "Practical Nonparametric
Statistics", 3.2): from the k-th smallest value to the k-th largest, which holds the median of what was drawn from with
a probability that follows from the number of trials alone. Below six trials no interval reaches 95 %.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np

from lab.metrics import Measured
from lab.record import Interval

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Typical:
    """The median over trials: at least `value` where `censored`. `interval` is None for a single trial.

    `low` and `high` are what a bound is held against: the ends of the interval, or the value itself; `high` is infinite
    where nothing bounds it.
    """

    value: float
    censored: bool
    interval: Interval | None
    low: float
    high: float


def coverage(trials: int, k: int) -> float:
    """Probability that the k-th smallest and the k-th largest of so many independent values (k from 1) span the median.

    1 - 2 P(B < k) with B binomial (trials, 1/2): 0.5 for two, 0.75 for three, 0.969 for six trials and k = 1.
    """
    return 1.0 - 2.0 * float(sum(comb(trials, below) for below in range(k))) / float(2**trials)


def typical(taken: Sequence[Measured]) -> Typical:
    """The median of values that are all known, at least one, and the interval around it.

    The interval is the shortest that reaches 95 %, else the whole range, and says its true coverage.
    """
    lows = sorted(m.value for m in taken if m.value is not None)
    highs = sorted(math.inf if m.censored else m.value for m in taken if m.value is not None)
    value, upper = float(np.median(lows)), _median(highs)
    if len(lows) == 1:
        return Typical(value, upper > value, None, lows[0], highs[0])
    k = 1
    while k + 1 <= len(lows) // 2 and coverage(len(lows), k + 1) >= CONFIDENCE:
        k += 1
    low, high = lows[k - 1], highs[-k]
    interval = Interval(low, high if math.isfinite(high) else None, coverage(len(lows), k), len(lows))
    return Typical(value, upper > value, interval, low, high)


def worst(taken: Sequence[Measured], highest: bool) -> Typical:
    """The trial that is furthest on the wrong side: the highest value, or the lowest. All values are known."""
    lows = [m.value for m in taken if m.value is not None]
    highs = [math.inf if m.censored else m.value for m in taken if m.value is not None]
    if highest:
        return Typical(max(lows), max(highs) > max(lows), None, max(lows), max(highs))
    return Typical(min(lows), min(highs) > min(lows), None, min(lows), min(highs))


def _median(ordered: Sequence[float]) -> float:
    """As numpy's, but the mean of anything and infinity is infinity."""
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
