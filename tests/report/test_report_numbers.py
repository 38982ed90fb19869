from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.record import ClaimSpec, MetricSpec
from lab.report import numbers

pytestmark = pytest.mark.e2e

P90 = MetricSpec("p90_ms", "ms")
SUCCESS = MetricSpec("success_ratio", "")
ATTEMPTS = MetricSpec("attempts", "")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1003.4, "1,003"),
        (2.984, "2.98"),
        (0.006312, "0.00631"),
        (50, "50"),
        (0.5, "0.5"),
        (-12.34, "-12.3"),
        (float("inf"), "none"),
        (float("nan"), "none"),
    ],
)
def test_three_digits_count(value: float, text: str) -> None:
    """Numbers have three digits that count, thousands apart, and no zeros at the end."""
    assert numbers.number(value) == text


def test_measured_zeros_stay() -> None:
    """1.00 was measured to the hundredth; an integer is one."""
    assert numbers.measured(1.0004) == "1.00"
    assert numbers.measured(63.0) == "63"
    assert numbers.measured(0.0) == "0"


@given(st.floats(0, 1))
def test_a_share_never_rounds_to_all_or_nothing(share: float) -> None:
    """Only everything is 100 %, only nothing is 0 %."""
    text = numbers.percent(share).replace(" ", " ")
    assert (text == "100 %") == (share == 1)
    if share == 0:
        assert text == "0 %"
    elif share > 1e-7:
        assert text != "0 %"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0021, "2.10 ms"), (1.0, "1 s"), (1.049, "1.05 s"), (119, "119 s"), (200, "3 min 20 s"), (180, "3 min")],
)
def test_a_duration_is_told_in_the_unit_that_fits(seconds: float, text: str) -> None:
    """Milliseconds under a second, minutes from two on."""
    assert numbers.duration(seconds).replace(" ", " ") == text


def test_a_claim_tells_its_value_and_bound_with_their_units() -> None:
    """A ratio names the variant it was divided by, a share is a percentage, seconds under one are milliseconds."""
    assert numbers.claim_value(1011.2, ClaimSpec("", "on", "fault", P90)) == "1,011 ms"
    of_off = ClaimSpec("", "on", "fault", ATTEMPTS, at_most=0.1, of="off")
    assert numbers.claim_value(0.063, of_off) == "0.0630 × off"
    assert numbers.bound(of_off) == "≤ 0.1 × off"
    share = ClaimSpec("", "on", "fault", SUCCESS, at_least=0.999, at_most=1)
    assert numbers.bound(share) == "≥ 99.9 % and ≤ 100 %"
    recovery = ClaimSpec("", "on", "fault", MetricSpec("recovery_s", "s"), at_most=6)
    assert numbers.claim_value(0.0431, recovery) == "43.1 ms"
    assert numbers.bound(recovery) == "≤ 6 s"


@pytest.mark.parametrize(
    ("value", "unit", "names", "text"),
    [
        (2.0, "short", {2: "open"}, "open"),
        (2.5, "short", {2: "open"}, "2.5"),
        (0.0021, "s", {}, "2.10 ms"),
        (-1.0, "s", {}, "-1 s"),
        (0.25, "percentunit", {}, "25 %"),
        (1_500_000, "bytes", {}, "1.5 MB"),
        (2e15, "bytes", {}, "2,000 TB"),
        (1_500, "Bps", {}, "1.5 kB/s"),
        (3, "reqps", {}, "3 req/s"),
        (3, "furlongs", {}, "3 furlongs"),
    ],
)
def test_panels_speak_grafanas_units(value: float, unit: str, names: dict[int, str], text: str) -> None:
    """A sample is shown in its panel's unit, or as the state that it stands for."""
    assert numbers.panel_value(value, unit, names).replace(" ", " ") == text


def test_moments() -> None:
    """A moment of the run, and one of the calendar in UTC."""
    assert numbers.at(12.34) == "12.3 s"
    assert numbers.at(None) == "–"
    assert numbers.clock(0) == "1970-01-01 00:00 UTC"
