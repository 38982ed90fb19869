"""Several trials as one verdict: claims of none take the worst, all others the median with its true interval."""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_runs import HURTS, P50, Story, tell

from lab.metrics import Measured
from lab.record import ClaimResult, ClaimSpec, MetricSpec
from lab.verdict import judge
from lab.verdict.claims import hold
from lab.verdict.trials import coverage, typical

LOST = MetricSpec("requests_lost", "")
NOTHING_LOST = ClaimSpec("nothing is lost", "on", "fault", LOST, at_most=0)


def judged(tmp_path: Path, claim: ClaimSpec, lost: Sequence[int]) -> ClaimResult:
    """A claim about so many lost requests of `on` in each trial."""
    trials = len(lost)
    story = Story(
        off_ms=(1000,) * trials,
        on_ms=(5,) * trials,
        claims=(HURTS, claim),
        lost={("on", trial): count for trial, count in enumerate(lost, 1)},
    )
    return judge(tell(tmp_path, story)).claims[1]


@pytest.mark.parametrize("lost", [(0, 0, 0, 3, 9), (0, 0, 0, 0, 0, 0, 0, 0, 90)])
def test_a_claim_of_nothing_takes_the_worst_trial(tmp_path: Path, lost: Sequence[int]) -> None:
    """Nothing lost in most trials and nine in the last is not nothing, though the median is."""
    result = judged(tmp_path, NOTHING_LOST, lost)
    assert result.verdict == "FAIL"
    assert f"is {max(lost)} in trial {len(lost)} of {len(lost)}, asked at most 0" in result.why


def test_a_claim_of_nothing_that_holds_in_each_trial_passes(tmp_path: Path) -> None:
    """And says that it did."""
    result = judged(tmp_path, NOTHING_LOST, (0, 0, 0))
    assert (result.verdict, result.why) == ("PASS", "is 0 in each of 3 trials, asked at most 0")


def test_a_claim_of_all_takes_the_worst_trial(tmp_path: Path) -> None:
    """A success ratio of 1 is a claim of none that fails."""
    claim = ClaimSpec("all", "on", "fault", MetricSpec("success_ratio", ""), at_least=1)
    assert judged(tmp_path, claim, (0, 0, 1)).verdict == "FAIL"


def test_a_claim_may_ask_it_of_every_trial(tmp_path: Path) -> None:
    """With every_trial a bound above zero is held against the worst trial too."""
    some = ClaimSpec("few", "on", "fault", LOST, at_most=5)
    every = ClaimSpec("few", "on", "fault", LOST, at_most=5, every_trial=True)
    lost = (1,) * 10 + (9,)
    assert judged(tmp_path / "typical", some, lost).verdict == "PASS"
    assert judged(tmp_path / "every", every, lost).verdict == "FAIL"


@pytest.mark.parametrize(("trials", "percent"), [(2, 50), (3, 75), (4, 87.5), (5, 93.75), (6, 96.875)])
def test_the_whole_range_covers_what_it_says(trials: int, percent: float) -> None:
    """The coverage of [min, max], which below six trials is no 95 %, as a simulation finds it."""
    assert coverage(trials, 1) * 100 == percent
    rng = random.Random(trials)
    drawn = [[rng.gauss(0, 1) for _ in range(trials)] for _ in range(20_000)]
    inside = sum(min(values) <= 0 <= max(values) for values in drawn) / len(drawn)
    assert inside * 100 == pytest.approx(percent, abs=1.5)


@given(st.integers(2, 40))
def test_an_interval_is_the_shortest_that_reaches_95_percent(trials: int) -> None:
    """Else the whole range; and it says its own coverage, never that it was asked for."""
    interval = typical([Measured(float(value)) for value in range(1, trials + 1)]).interval
    assert interval is not None
    k = int(interval.low)
    assert interval.confidence == coverage(trials, k)
    assert (k == 1) if trials < 6 else interval.confidence >= 0.95
    assert k == trials // 2 or coverage(trials, k + 1) < 0.95


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=15))
def test_the_median_is_the_median(values: list[float]) -> None:
    """Of values that are all exact."""
    found = typical([Measured(value) for value in values])
    assert found.value == pytest.approx(statistics.median(values))
    assert not found.censored


AT_MOST_6 = ClaimSpec("x", "on", "fault", P50, at_most=6)


@pytest.mark.parametrize(
    ("claim", "values", "verdict"),
    [
        (ClaimSpec("x", "on", "fault", P50, at_most=51), [(10, False), (90, False)], "UNKNOWN"),
        (ClaimSpec("x", "on", "fault", P50, at_most=51), [(10, False), (50, False)], "PASS"),
        (ClaimSpec("x", "on", "fault", P50, at_most=51), [(60, False), (90, False)], "FAIL"),
        (AT_MOST_6, [(1, False), (10, True)], "UNKNOWN"),
        (AT_MOST_6, [(7, False), (10, True)], "FAIL"),
        (AT_MOST_6, [(1, True)], "UNKNOWN"),
        (ClaimSpec("x", "on", "fault", P50, at_least=5), [(4.82, True)], "UNKNOWN"),
        (ClaimSpec("x", "on", "fault", P50, at_least=5), [(7.8, True)], "PASS"),
        (ClaimSpec("x", "on", "fault", P50, at_least=5), [(4.82, False)], "FAIL"),
        (AT_MOST_6, [(30, False), (40, False), (2, False), (1, False), (45, False)], "UNKNOWN"),
    ],
)
def test_values_are_held_against_a_bound_as_far_as_they_are_known(
    claim: ClaimSpec, values: list[tuple[float, bool]], verdict: str
) -> None:
    """Trials that disagree about the bound decide nothing, and "at least" is any number from there on."""
    assert hold(claim, [Measured(value, censored) for value, censored in values]).verdict == verdict


def test_an_even_number_of_trials_does_not_average_a_censored_value_unseen() -> None:
    """{1, at least 10} has a median of at least 5.5."""
    found = typical([Measured(1.0), Measured(10.0, censored=True)])
    assert (found.value, found.censored) == (5.5, True)
    assert found.interval is not None
    assert found.interval.high is None


def test_ratios_to_a_handful_are_chance(tmp_path: Path) -> None:
    """Three lost against one lost is no three times."""
    claim = ClaimSpec("as many", "on", "fault", LOST, at_most=2, of="off")
    story = Story(claims=(HURTS, claim), lost={("on", 1): 3, ("off", 1): 1})
    result = judge(tell(tmp_path / "few", story)).claims[1]
    assert result.verdict == "UNKNOWN"
    assert "off has 1, and a ratio to fewer than 20 is chance" in result.why
    many = Story(claims=(HURTS, claim), lost={("on", 1): 30, ("off", 1): 25})
    assert judge(tell(tmp_path / "many", many)).claims[1].verdict == "PASS"
