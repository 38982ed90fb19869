import math

import pytest

from lab.load.forms import Beat, Row
from lab.load.sample import Tally, quantile


def row(n: int, due_s: float, end_s: float | None, outcome: str = "ok") -> Row:
    """Make a row."""
    return Row(n, due_s, due_s, end_s, outcome, 200, None, None)


def beat(at_s: float, started: int, finished: int | None = None) -> Beat:
    """Make a beat."""
    return Beat(at_s, started, started if finished is None else finished, cpu_s=0.1)


def test_nothing_yet():
    """Before the first beat there is nothing to show."""
    assert Tally([0.1]).sample() is None


def test_rate_of_the_last_second():
    """The rate is of the last second alone, asked and reached."""
    tally = Tally([n / 100 for n in range(1_000)])
    tally.add([beat(at / 4, min(100, at * 25) if at <= 4 else 100 + (at - 4) * 5) for at in range(1, 13)], [])
    sample = tally.sample()
    assert sample is not None
    assert sample.per_s == pytest.approx(20)
    assert sample.asked_per_s == pytest.approx(100)
    assert (sample.asked, sample.started) == (301, 140)


def test_first_beat_has_a_rate():
    """The first beat already has a rate: from the beginning of the load."""
    tally = Tally(None)
    tally.add([beat(0.25, 10)], [])
    sample = tally.sample()
    assert sample is not None
    assert sample.per_s == sample.asked_per_s == 40


def test_quantiles_of_the_last_seconds():
    """Quantiles count from due times, over operations that ended in the last five seconds, unanswered ones left out."""
    tally = Tally(None)
    old = [row(n, 0.0, 1.0) for n in range(50)]
    new = [row(100 + n, 9.0, 9.0 + n / 1000) for n in range(1, 101)]
    tally.add([beat(1.0, 50), beat(10.0, 150)], [*old, *new, row(300, 9.0, None, "info")])
    sample = tally.sample()
    assert sample is not None
    assert sample.p50_ms == pytest.approx(50)
    assert sample.p99_ms == pytest.approx(99)
    assert (sample.ok, sample.info) == (150, 1)


def test_counts_add_up():
    """Outcomes are counted over everything so far; in flight is what began and did not end."""
    tally = Tally(None)
    tally.add([beat(1.0, 5, 3)], [row(0, 0, 0.1), row(1, 0, 0.1, "fail"), row(2, 0, 0.1, "info")])
    tally.add([beat(2.0, 9, 4)], [row(3, 0, 0.1, "fail")])
    sample = tally.sample()
    assert sample is not None
    assert (sample.ok, sample.fail, sample.info, sample.in_flight) == (1, 2, 1, 5)


def test_a_phase_counts_what_is_due_in_it():
    """However late it ends: of the two phases each has its own, and what is due by now and not over waits."""
    tally = Tally([n / 10 for n in range(100)], [("baseline", 4.0), ("fault", 10.0)])
    ended_late = [row(n, n / 10, 5.0) for n in range(40)]
    tally.add([beat(5.0, 50)], [*ended_late, row(40, 4.0, 4.1, "fail"), row(41, 4.1, None, "info")])
    sample = tally.sample()
    assert sample is not None
    baseline, fault = sample.phases["baseline"], sample.phases["fault"]
    assert (baseline.due, baseline.ok, baseline.waiting) == (40, 40, 0)
    assert (fault.due, fault.ok, fault.fail, fault.info, fault.waiting) == (10, 0, 1, 1, 8)
    assert fault.waits_ms == [pytest.approx(100), math.inf]


def test_quantile():
    """A quantile is the smallest value that at least that share of all do not exceed."""
    assert quantile(range(1, 101), 0.99) == 99
    assert quantile([3.0], 0.5) == 3.0
    assert quantile([1.0, 2.0], 0.5) == 1.0
    assert quantile([], 0.5) is None


def test_workers_are_counted_together():
    """Counts are sums of what each worker had by its newest beat; one that has fallen silent keeps its own."""
    tally = Tally([n / 100 for n in range(1_000)])
    tally.add([beat(1.0, 50, 40), Beat(1.1, 55, 50, cpu_s=0.2, worker=1), beat(2.0, 100, 90)], [])
    sample, latest = tally.sample(), tally.latest
    assert sample is not None
    assert latest is not None
    assert (sample.at_s, sample.asked, sample.started, sample.finished) == (2.0, 201, 155, 140)
    assert latest.cpu_s == pytest.approx(0.3)
    assert tally.newest[1].started == 55
