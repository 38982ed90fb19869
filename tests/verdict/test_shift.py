"""The difference between the trials of two runs, with an interval whose coverage is exact."""

from __future__ import annotations

from itertools import combinations
from math import comb

import pytest

from lab.verdict.shift import _ways, shift


@pytest.mark.parametrize(("first", "second"), [(1, 1), (2, 3), (3, 3), (4, 4), (5, 2)])
def test_the_distribution_is_that_of_all_orders(first: int, second: int) -> None:
    """Counted one by one: each choice of places for the first run's trials, and the pairs that they make."""
    counts = [0] * (first * second + 1)
    for places in combinations(range(first + second), first):
        counts[sum(place - at for at, place in enumerate(places))] += 1
    assert _ways(first, second) == counts
    assert sum(counts) == comb(first + second, first)


def test_one_trial_each_has_no_interval() -> None:
    """The difference, and nothing said about chance."""
    found = shift([5.0], [7.0])
    assert (found.value, found.low, found.high, found.confidence, found.beyond_chance) == (2.0, None, None, None, None)


def test_three_trials_say_ninety_percent_at_most() -> None:
    """The whole range of the nine differences: one order of twenty lies below it, one above; 95 % is out of reach."""
    found = shift([1, 2, 3], [11, 12, 13])
    assert (found.value, found.low, found.high) == (10, 8, 12)
    assert found.confidence == pytest.approx(0.9)
    assert found.beyond_chance is None


def test_more_trials_narrow_it() -> None:
    """For eight and eight the tables of the Mann-Whitney test give 13 as the critical value at 5 %."""
    first, second = [float(n) for n in range(8)], [n + 100 + n / 10 for n in range(8)]
    found = shift(first, second)
    differences = sorted(b - a for a in first for b in second)
    assert (found.low, found.high) == (differences[13], differences[-14])
    assert found.confidence == pytest.approx(0.95, abs=2e-3)
    assert found.beyond_chance is True


def test_runs_alike_may_differ_by_chance() -> None:
    """No difference lies inside the interval."""
    assert shift([1, 2, 3, 4, 5], [1.5, 2.5, 2.9, 4.2, 4.9]).beyond_chance is False
