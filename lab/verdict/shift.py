"""By how much the trials of one run differ from those of another: an estimate, and an exact interval around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from statistics import median

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Shift:
    """The second minus the first. Without trials there is no interval; `confidence` is its true coverage."""

    value: float
    low: float | None = None
    high: float | None = None
    confidence: float | None = None

    @property
    def beyond_chance(self) -> bool | None:
        """Whether the interval leaves out no difference; None where there is none or it covers less than 95 %."""
        if self.low is None or self.high is None or self.confidence is None or self.confidence < CONFIDENCE:
            return None
        return self.low > 0 or self.high < 0


def shift(first: Sequence[float], second: Sequence[float]) -> Shift:
    """
    The Hodges-Lehmann estimate: the median of all differences between a trial of the second and one of the first.

    The interval is that of the Mann-Whitney test turned round (Hollander, Wolfe: Nonparametric Statistical Methods,
    4.2): from the k-th smallest to the k-th largest difference, the shortest that reaches 95 %, else the whole range.
    It supposes trials that are independent. Those of the same seeds have the same arrivals; then it is rather too wide.
    """
    differences = sorted(after - before for after in second for before in first)
    value = median(differences)
    if len(first) < 2 or len(second) < 2:
        return Shift(value)
    k, covered = 1, _coverage(len(first), len(second), 1)
    while (more := _coverage(len(first), len(second), k + 1)) >= CONFIDENCE:
        k, covered = k + 1, more
    return Shift(value, differences[k - 1], differences[-k], covered)


def _coverage(first: int, second: int, k: int) -> float:
    """Of the interval from the k-th smallest to the k-th largest difference: 1 - 2 P(U < k)."""
    ways = _ways(first, second)
    return 1 - 2 * sum(ways[:k]) / comb(first + second, first)


def _ways(first: int, second: int) -> list[int]:
    """How many orders of all trials have each value of Mann and Whitney's U: the Gaussian binomial's coefficients."""
    counts = [1] + [0] * (first * second)
    for step in range(1, first + 1):
        for u in range(len(counts) - 1, second + step - 1, -1):  # times 1 - x^(second + step)
            counts[u] -= counts[u - second - step]
        for u in range(step, len(counts)):  # divided by 1 - x^step
            counts[u] += counts[u - step]
    return counts
