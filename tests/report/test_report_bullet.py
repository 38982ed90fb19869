from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.record import ClaimResult, ClaimSpec, Interval, MetricSpec
from lab.report.bullet import bullet

pytestmark = pytest.mark.e2e

P90 = MetricSpec("p90_ms", "ms")
SHARE = MetricSpec("success_ratio", "")


def result(value: float | None, metric: MetricSpec = P90, **bounds: float) -> ClaimResult:
    """A claim's result against its bounds."""
    return ClaimResult(ClaimSpec("", "on", "fault", metric, **bounds), "PASS", value, "")


@given(st.floats(0, 1e6), st.floats(0.001, 1e6))
def test_the_dot_lies_on_the_side_of_the_bound_that_the_value_does(value: float, bound: float) -> None:
    """Whatever the scale, order is kept, and all lies between 0 and 100 percent."""
    drawn = bullet(result(value, at_most=bound))
    assert drawn is not None
    assert 0 <= drawn.value <= 100
    assert 0 <= drawn.bounds[0] <= 100
    if value < bound * 0.97:
        assert drawn.value <= drawn.bounds[0]
    elif value > bound * 1.03:
        assert drawn.value >= drawn.bounds[0]


def test_the_zone_is_where_the_claim_holds() -> None:
    """Up to an upper bound, from a lower one, between the two."""
    upper, lower, both = (
        bullet(result(10, at_most=20)), bullet(result(10, at_least=5)), bullet(result(10, at_least=5, at_most=20)),
    )  # fmt: skip
    assert upper is not None
    assert lower is not None
    assert both is not None
    assert upper.zone == (0.0, upper.bounds[0])
    assert lower.zone == (lower.bounds[0], 100.0)
    assert both.zone == (both.bounds[0], both.bounds[1])


def test_values_far_apart_get_a_logarithmic_axis() -> None:
    """4 seconds against 50 milliseconds: both are seen, neither is squeezed against the edge."""
    drawn = bullet(result(4_000, at_most=50))
    assert drawn is not None
    assert 10 < drawn.bounds[0] < drawn.value < 90


def test_shares_near_one_are_magnified() -> None:
    """99.97 % against 99.9 % does not look like the same place."""
    drawn = bullet(result(0.9997, SHARE, at_least=0.999))
    assert drawn is not None
    assert drawn.value - drawn.bounds[0] > 15


def test_trials_and_interval_are_drawn() -> None:
    """Each trial is a line, the interval a thick one."""
    claim = ClaimSpec("", "on", "fault", P90, at_most=50)
    drawn = bullet(ClaimResult(claim, "PASS", 20, "", False, Interval(10, 30, 0.95, 3), [10.0, 20.0, 30.0]))
    assert drawn is not None
    assert drawn.interval == pytest.approx((drawn.trials[0], drawn.trials[2]))


def test_nothing_is_drawn_of_what_was_not_measured() -> None:
    """No value, or no bound to hold it against: no chart."""
    assert bullet(result(None, at_most=50)) is None
    assert bullet(result(3.0)) is None
    assert bullet(result(0.0, at_most=0)) is not None
