"""Each metric on operations and counts planted by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from planted_runs import PHASES, TIMEOUT_S, operation, plant, taken, told

from lab import metrics
from lab.metrics import Measured
from lab.model import Link, Metric, Service
from lab.record import MetricSpec

exchange, payments = Service("exchange"), Service("payments")
charge = Link(exchange, payments)
HUNDRED = [operation(10 + k / 20, (k + 1) / 1000) for k in range(100)]  # waits of 1, 2, ... 100 ms
DONE = "http_client_request_duration_seconds_count"
ACTIVE = "http_client_active_requests"


def near(value: float, censored: bool = False) -> Measured:
    """Give that number, within rounding."""
    close: Any = pytest.approx(value)
    return told(close, censored)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (metrics.p50_ms(of="all"), 50), (metrics.p90_ms(of="all"), 90), (metrics.p95_ms(of="all"), 95),
        (metrics.p99_ms(of="all"), 99),
        (metrics.max_ms(of="all"), 100), (metrics.mean_ms(of="all"), 50.5), (metrics.naive_p99_ms(of="all"), 99),
        (metrics.requests(), 100), (metrics.requests_lost(), 0), (metrics.success_ratio(), 1),
        (metrics.error_ratio(), 0), (metrics.throughput_per_s(), 10), (metrics.goodput_per_s(), 10),
        (metrics.max_in_flight(), 2),
    ],
)  # fmt: skip
def test_a_hundred_waits_of_1_to_100_ms(tmp_path: Path, metric: Metric, expected: float) -> None:
    """A hundred waits of 1, 2, ... 100 ms give the numbers that one writes down without a computer."""
    assert taken(plant(tmp_path, HUNDRED), metric) == near(expected)


def test_a_wait_runs_from_due_time_and_the_naive_one_from_sending(tmp_path: Path) -> None:
    """An operation sent 500 ms late and answered in 10 ms made its caller wait 510 ms."""
    run = plant(tmp_path, [operation(11 + k / 100, 0.51, start_s=11.5 + k / 100) for k in range(100)])
    assert taken(run, metrics.p99_ms(of="all")) == near(510)
    assert taken(run, metrics.naive_p99_ms(of="all")) == near(10)


def test_never_answered_counts_as_at_least_the_timeout(tmp_path: Path) -> None:
    """Operations never answered stand at the timeout or more, and only censor the percentiles they reach."""
    lost = [operation(11, None, "info", start_s=11.25) for _ in range(5)]
    timed_out = [operation(11, TIMEOUT_S, "info", status=None, error="timeout") for _ in range(5)]
    run = plant(tmp_path, [*(operation(11, 0.02) for _ in range(90)), *timed_out, *lost])
    assert taken(run, metrics.p90_ms(of="all")) == near(20)
    assert taken(run, metrics.p95_ms(of="all")) == near(4000, censored=True)
    assert taken(run, metrics.max_ms(of="all")) == near(4250, censored=True)
    assert taken(run, metrics.naive_p99_ms(of="all")) == near(4000, censored=True)
    assert taken(run, metrics.mean_ms(of="all")) == near(0.9 * 20 + 0.05 * 4000 + 0.05 * 4250, censored=True)
    assert taken(run, metrics.requests_lost()) == near(10)


def test_a_refusal_is_an_answer(tmp_path: Path) -> None:
    """A 504 after 2 s made its caller wait 2 s, exactly; it is throughput and no goodput."""
    run = plant(tmp_path, [operation(11 + k / 10, 2.0, "info", error="http 504") for k in range(20)])
    assert taken(run, metrics.p90_ms(of="all")) == near(2000)
    assert taken(run, metrics.throughput_per_s()) == near(2)
    assert taken(run, metrics.goodput_per_s()) == near(0)
    assert taken(run, metrics.error_ratio()) == near(1)


def test_too_few_operations_have_no_high_percentile(tmp_path: Path) -> None:
    """A p99 of 99 operations would be their maximum under another name, and is not taken."""
    run = plant(tmp_path, HUNDRED[:99])
    few = "only 99 operations were due in fault of off; the metric takes at least"
    assert taken(run, metrics.p99_ms(of="all")) == told(None, why=f"{few} 100", n=99)
    assert taken(run, metrics.p999_ms(of="all")) == told(None, why=f"{few} 1,000", n=99)
    assert taken(run, metrics.p95_ms(of="all")) == near(95)


def test_two_logins_have_no_median(tmp_path: Path) -> None:
    """Two logins among 150 other operations are a sample of two, however many the phase has in all."""
    run = plant(tmp_path, [*HUNDRED, *(operation(11, 0.05, operation="POST /logins") for _ in range(2))])
    why = "only 2 POST /logins operations were due in fault of off; the metric takes at least 20"
    for metric in (
        metrics.p50_ms("POST /logins", of="all"),
        metrics.mean_ms("POST /logins", of="all"),
        metrics.max_ms("POST /logins", of="all"),
    ):
        assert taken(run, metric) == told(None, why=why, n=2)
    assert taken(run, metrics.success_ratio("POST /logins")).n == 2


def test_one_kind_of_operation_is_told_from_the_others(tmp_path: Path) -> None:
    """With `operation`, the others do not count."""
    slow = [operation(10 + k / 20, 3.0, "fail", operation="GET /report") for k in range(20)]
    run = plant(tmp_path, [*HUNDRED, *slow])
    assert taken(run, metrics.p90_ms("GET /report", of="all")) == near(3000)
    assert taken(run, metrics.p90_ms(operation="POST /trades", of="all")) == near(90)
    assert taken(run, metrics.success_ratio("GET /report")) == near(0)
    assert taken(run, metrics.goodput_per_s("GET /report")) == near(0)
    assert taken(run, metrics.throughput_per_s("GET /report")) == near(2)
    assert taken(run, metrics.requests("GET /report")) == near(20)
    assert taken(run, metrics.p50_ms("GET /none", of="all")).why == "no GET /none was due in fault of off"


@pytest.mark.parametrize(
    "metric",
    [
        metrics.p50_ms(of="all"), metrics.mean_ms(of="all"), metrics.max_ms(of="all"),
        metrics.success_ratio(), metrics.error_ratio(),
        metrics.recovery_s(), metrics.requests(), metrics.requests_lost(), metrics.goodput_per_s(),
        metrics.throughput_per_s(), metrics.longest_gap_s(), metrics.max_in_flight(),
    ],
)  # fmt: skip
def test_an_empty_phase_is_unmeasured(tmp_path: Path, metric: Metric) -> None:
    """Where no operation was due there is no number, and the reason says so."""
    assert taken(plant(tmp_path, []), metric) == told(None, why="no operation was due in fault of off", n=0)


@pytest.mark.parametrize("make", [
    metrics.requests, metrics.requests_lost, metrics.success_ratio, metrics.error_ratio, metrics.goodput_per_s,
    metrics.throughput_per_s, metrics.p50_ms, metrics.max_ms, metrics.recovery_s, metrics.longest_gap_s,
])  # fmt: skip
def test_an_operation_that_does_not_exist_is_unmeasured(tmp_path: Path, make: Any) -> None:
    """`requests_lost("POST /trade")` at most 0 must not hold because the operation is called `POST /trades`."""
    whose = {"of": "all"} if make.__name__.endswith("_ms") else {}
    found = taken(plant(tmp_path, HUNDRED), make("POST /trade", **whose))
    assert found == told(None, why="no POST /trade was due in fault of off", n=0)


def test_operations_of_earlier_phases_are_still_in_flight(tmp_path: Path) -> None:
    """The most in flight counts those that began before the phase, and gives up the unanswered at the timeout."""
    early = [operation(9.5, 1.0), operation(9.5, None, "info")]  # gives up at 13.5
    more = [operation(15 + k / 10, 0.01) for k in range(20)] + [operation(25.1 + k / 10, 0.01) for k in range(20)]
    run = plant(tmp_path, [*early, operation(10.4, 0.2), operation(13.6, 0.1), operation(20, 5.0), *more])
    assert taken(run, metrics.max_in_flight()) == near(3)
    assert taken(run, metrics.max_in_flight(), "recovery") == near(1)


# --- asking -----------------------------------------------------------------------------------------------------


def test_what_the_run_did_not_come_to_is_unmeasured(tmp_path: Path) -> None:
    """A variant, trial or phase that the run did not reach gives a reason in place of a number."""
    run = plant(tmp_path, HUNDRED, phases=PHASES[:2], trials=2)
    assert taken(run, metrics.p50_ms(of="all"), variant="on").why == "the run has no on in trial 1: it ended before"
    assert taken(run, metrics.p50_ms(of="all"), trial=2).why == "the run has no off in trial 2: it ended before"
    assert (
        taken(run, metrics.p50_ms(of="all"), "recovery").why
        == "off did not come to recovery in trial 1: the run ended before"
    )
    assert taken(run, metrics.p50_ms(of="all"), "baseline").why == "no operation was due in baseline of off, trial 1"


def test_a_record_of_another_lab_is_unmeasured_not_an_error(tmp_path: Path) -> None:
    """A metric or arguments that this lab does not know give a reason in place of a number."""
    window = metrics.window(plant(tmp_path, HUNDRED), "off", "fault")
    assert metrics.measure(MetricSpec("p75_ms", "ms"), window).why == 'this lab has no metric "p75_ms"'
    strange = metrics.measure(MetricSpec("p90_ms", "ms", {"depth": 3}), window)
    assert strange.why.startswith("p90_ms does not take the recorded arguments: got an unexpected keyword")


def test_a_metric_that_breaks_on_a_record_is_unmeasured(tmp_path: Path) -> None:
    """Whatever a record holds, one number of it ends no judgement."""

    @metrics.metric("")
    def a_planted_fault(window: metrics.Window) -> float:
        """Raise."""
        raise TypeError("unhashable type: 'list'")

    from lab.metrics import declare

    try:
        found = metrics.measure(MetricSpec("a_planted_fault", ""), metrics.window(plant(tmp_path), "off", "fault"))
        assert found.why == "a_planted_fault cannot read fault of off: TypeError: unhashable type: 'list'"
    finally:
        del declare._METRICS["a_planted_fault"]


def test_asking_wrongly_says_how_to_ask() -> None:
    """A call with missing or senseless arguments names the metric and what it takes."""
    with pytest.raises(
        TypeError, match=r'metrics\.attempts needs "link"; write metrics\.attempts\(link: Link \| str\)'
    ):
        metrics.attempts()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"metrics\.attempts: link is \[\]; it takes a Link or text"):
        metrics.attempts([])  # type: ignore[arg-type]


def test_every_metric_carries_its_unit_in_its_name() -> None:
    """Names end in their unit, and what has none has no unit; all of them are offered to scenarios."""
    one, two = ["a->b"], ["a", "b"]
    arguments = {"attempts": one, "attempts_per_request": one, "cpu_share": one, "panel_max": one}
    arguments |= {
        "counter_increase": two,
        "counter_per_s": two,
        "gauge_max": two,
        "highest_rise": two,
        "profile_share": two,
        "profile_per_request": two,
    }
    three = ["a", "b", "c"]
    arguments |= {"counter_quotient": three, "profile_fall_points": three, "profile_fall_rank": three}
    readback = ("catch_up_s", "messages_again", "messages_lost", "acknowledged_lost", "updates_lost")
    arguments |= dict.fromkeys(readback, one) | dict.fromkeys(("keys_listed", "listed_ratio"), two)
    named = {"median_gap_s": {"over": "baseline, fault, recovery"}}
    for name in metrics.names():
        unit = {"ms": "ms", "s": "s", "points": "points"}.get(name.rsplit("_", 1)[-1], "")
        unit = "/s" if name.endswith("_per_s") else unit
        assert name in metrics.__all__
        whose = {"of": "ok"} if unit == "ms" else {}
        made = getattr(metrics, name)(*arguments.get(name, []), **whose, **named.get(name, {}))
        assert (made.name, made.unit) == (name, unit)


def test_no_number_is_ever_nan_or_endless() -> None:
    """A metric that comes out as NaN or infinite is unmeasured, with the reason; two of one name are refused."""

    @metrics.metric("")
    def a_planted_nan(window: metrics.Window) -> float:
        return float("nan")

    @metrics.metric("")
    def a_planted_nothing(window: metrics.Window) -> None:
        return None

    from lab.metrics import declare

    try:
        window = metrics.Window(None, "off", 1, PHASES[0])  # type: ignore[arg-type]
        assert metrics.measure(MetricSpec("a_planted_nan", ""), window).why == "a_planted_nan came out as nan"
        assert metrics.measure(MetricSpec("a_planted_nothing", ""), window).why.endswith("had nothing to measure")
        with pytest.raises(ValueError, match="two metrics are called a_planted_nan"):
            metrics.metric("")(declare._METRICS["a_planted_nan"])
    finally:
        del declare._METRICS["a_planted_nan"], declare._METRICS["a_planted_nothing"]
