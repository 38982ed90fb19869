"""Each metric on operations and counts planted by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from planted_runs import PHASES, TIMEOUT_S, Row, counted, operation, plant, taken, told

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
        (metrics.p50_ms(), 50), (metrics.p90_ms(), 90), (metrics.p95_ms(), 95), (metrics.p99_ms(), 99),
        (metrics.max_ms(), 100), (metrics.mean_ms(), 50.5), (metrics.naive_p99_ms(), 99),
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
    assert taken(run, metrics.p99_ms()) == near(510)
    assert taken(run, metrics.naive_p99_ms()) == near(10)


def test_never_answered_counts_as_at_least_the_timeout(tmp_path: Path) -> None:
    """Operations never answered stand at the time-out or more, and only censor the percentiles they reach."""
    lost = [operation(11, None, "info", start_s=11.25) for _ in range(5)]
    timed_out = [operation(11, TIMEOUT_S, "info", status=None, error="timeout") for _ in range(5)]
    run = plant(tmp_path, [*(operation(11, 0.02) for _ in range(90)), *timed_out, *lost])
    assert taken(run, metrics.p90_ms()) == near(20)
    assert taken(run, metrics.p95_ms()) == near(4000, censored=True)
    assert taken(run, metrics.max_ms()) == near(4250, censored=True)
    assert taken(run, metrics.naive_p99_ms()) == near(4000, censored=True)
    assert taken(run, metrics.mean_ms()) == near(0.9 * 20 + 0.05 * 4000 + 0.05 * 4250, censored=True)
    assert taken(run, metrics.requests_lost()) == near(10)


def test_a_refusal_is_an_answer(tmp_path: Path) -> None:
    """A 504 after 2 s made its caller wait 2 s, exactly; it is throughput and no goodput."""
    run = plant(tmp_path, [operation(11 + k / 10, 2.0, "info", error="http 504") for k in range(10)])
    assert taken(run, metrics.p90_ms()) == near(2000)
    assert taken(run, metrics.throughput_per_s()) == near(1)
    assert taken(run, metrics.goodput_per_s()) == near(0)
    assert taken(run, metrics.error_ratio()) == near(1)


def test_too_few_operations_have_no_high_percentile(tmp_path: Path) -> None:
    """A p99 of 99 operations would be their maximum under another name, and is not taken."""
    run = plant(tmp_path, HUNDRED[:99])
    assert taken(run, metrics.p99_ms()).why == "a p99 takes at least 100 operations; fault of off has 99"
    assert taken(run, metrics.p999_ms()).why == "a p99.9 takes at least 1,000 operations; fault of off has 99"
    assert taken(run, metrics.p95_ms()) == near(95)


def test_one_kind_of_operation_is_told_from_the_others(tmp_path: Path) -> None:
    """With `operation`, the others do not count."""
    slow = [operation(10 + k / 20, 3.0, "fail", operation="GET /report") for k in range(20)]
    run = plant(tmp_path, [*HUNDRED, *slow])
    assert taken(run, metrics.p90_ms("GET /report")) == near(3000)
    assert taken(run, metrics.p90_ms(operation="POST /trades")) == near(90)
    assert taken(run, metrics.success_ratio("GET /report")) == near(0)
    assert taken(run, metrics.goodput_per_s("GET /report")) == near(0)
    assert taken(run, metrics.throughput_per_s("GET /report")) == near(2)
    assert taken(run, metrics.requests("GET /report")) == near(20)
    assert taken(run, metrics.p50_ms("GET /none")).why == "no GET /none was due in fault of off"


@pytest.mark.parametrize(
    "metric",
    [
        metrics.p50_ms(), metrics.mean_ms(), metrics.max_ms(), metrics.success_ratio(), metrics.error_ratio(),
        metrics.recovery_s(), metrics.attempts_per_request(charge),
    ],
)  # fmt: skip
def test_an_empty_phase_is_unmeasured(tmp_path: Path, metric: Metric) -> None:
    """Where no operation was due there is no number, and the reason says so."""
    assert taken(plant(tmp_path, []), metric) == told(None, why="no operation was due in fault of off")


def test_operations_of_earlier_phases_are_still_in_flight(tmp_path: Path) -> None:
    """The most in flight counts those that began before the phase, and gives up the unanswered at the time-out."""
    early = [operation(9.5, 1.0), operation(9.5, None, "info")]  # gives up at 13.5
    run = plant(tmp_path, [*early, operation(10.4, 0.2), operation(13.6, 0.1), operation(20, 5.0)])
    assert taken(run, metrics.max_in_flight()) == near(3)
    assert taken(run, metrics.max_in_flight(), "recovery") == near(1)


# --- physics ----------------------------------------------------------------------------------------------------


def test_detection_is_the_first_answer_that_is_no_success(tmp_path: Path) -> None:
    """From the injection to the first bad answer; failures from before the fault do not count."""
    noise = operation(9.0, 0.5, "fail")
    victim = operation(9.9, 1.35, "info")  # in flight when the fault came: answered at 11.25
    run = plant(tmp_path, [noise, victim, operation(10.5, 2.0, "info")], injected_s=10.25)
    assert taken(run, metrics.detect_s()) == near(1.0)


def test_a_caller_who_hears_nothing_detects_by_giving_up(tmp_path: Path) -> None:
    """Where nobody is answered, the fault is seen when the first caller gives up."""
    run = plant(tmp_path, [operation(10.5, None, "info"), operation(11, None, "info")], injected_s=10.0)
    assert taken(run, metrics.detect_s()) == near(4.5)


def test_an_unseen_fault_is_censored_and_an_absent_one_unmeasured(tmp_path: Path) -> None:
    """A fault nobody saw took at least the rest of its phase to see; without a fault there is nothing to detect."""
    late = operation(21, 0.1, "fail")
    seen = taken(plant(tmp_path / "a", [*HUNDRED, late], injected_s=10.5), metrics.detect_s())
    assert seen == told(9.5, censored=True, why="no caller saw the fault")
    absent = taken(plant(tmp_path / "b", HUNDRED), metrics.detect_s())
    assert absent.why == "no fault was injected in fault of off"


def recovery(*bad: tuple[float, float]) -> list[Row]:
    """Fifty arrivals a second in the recovery phase, failing where due within one of `bad`."""
    dues = [20 + k / 50 for k in range(500)]
    return [operation(due, 0.01, "fail" if any(a <= due < b for a, b in bad) else "ok") for due in dues]


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        ([], told(0.0)),
        ([(20, 23)], near(2.98)),  # the last failure: due at 22.98
        ([(20, 21), (24.5, 24.6)], near(4.58)),  # a relapse
        ([(21, 21.01)], near(1.0)),  # 49 of 50 is 98 %
        ([(26.9, 27)], near(6.98)),  # just 3 s left
        ([(20, 30)], told(10.0, True, "did not recover within the 10.0 s")),
        ([(27.5, 27.6)], told(10.0, True, "did not recover within the 10.0 s")),  # well for 2.4 s only
        ([(29.9, 30)], told(10.0, True, "did not recover within the 10.0 s")),
    ],
)
def test_recovery_is_when_every_later_second_is_well(
    tmp_path: Path, bad: list[tuple[float, float]], expected: Measured
) -> None:
    """Recovered is the moment after which every second until the end, three at least, has 99 % success."""
    assert taken(plant(tmp_path, recovery(*bad)), metrics.recovery_s(), "recovery") == expected


def test_recovery_takes_three_seconds_of_arrivals_to_show(tmp_path: Path) -> None:
    """A phase of 2 s, or one whose last 3 s have no arrivals, shows no recovery."""
    short = type(PHASES[0])("recovery", 20.0, 22.0)
    run = plant(tmp_path / "a", recovery()[:100], phases=[short])
    assert (
        taken(run, metrics.recovery_s(), "recovery").why == "recovery of off lasts 2.0 s; a recovery takes 3 s to show"
    )
    run = plant(tmp_path / "b", recovery()[:100])
    assert taken(run, metrics.recovery_s(), "recovery").why == "nothing was due in the last 3 s of recovery of off"


# --- what services count ----------------------------------------------------------------------------------------


def test_attempts_are_calls_begun_within_the_phase(tmp_path: Path) -> None:
    """Finished plus in flight, at the end less at the start, of that peer only, over all its label sets."""
    rows = [
        counted("start", DONE, 500, peer="payments", http_response_status_code="201"),
        counted("start", ACTIVE, 3, peer="payments"),
        counted("end", DONE, 503, peer="payments", http_response_status_code="201"),
        counted("end", DONE, 40, peer="payments", error_type="timeout"),
        counted("end", ACTIVE, 7, peer="payments"),
        counted("end", DONE, 999, peer="ledger"),
    ]
    run = plant(tmp_path, HUNDRED[:20], rows)
    assert taken(run, metrics.attempts(charge)) == near(503 + 40 + 7 - 500 - 3)
    assert taken(run, metrics.attempts_per_request(charge)) == near(47 / 20)
    assert metrics.attempts(charge) == Metric("attempts", "", {"link": "exchange->payments"})


@pytest.mark.parametrize("end", [30.0, 700.0])
def test_a_restart_makes_a_count_a_lower_bound(tmp_path: Path, end: float) -> None:
    """After a restart counts begin at 0: what was counted before it is lost, also where the count is already past."""
    rows = [
        counted("start", DONE, 500, peer="payments"), counted("start", "process_start_time_seconds", 1000),
        counted("end", DONE, end, peer="payments"), counted("end", "process_start_time_seconds", 1015),
    ]  # fmt: skip
    found = taken(plant(tmp_path, HUNDRED, rows), metrics.attempts(charge))
    why = "exchange was restarted in fault of off, and counted from 0 again"
    assert found == told(end, censored=True, why=why)
    fewer = [rows[0], {**rows[2], "value": 30.0}]  # a service that does not say when it started
    assert taken(plant(tmp_path, HUNDRED, fewer), metrics.attempts(charge)) == told(30, True, why)


def test_an_unheard_service_is_no_zero(tmp_path: Path) -> None:
    """A service that did not answer at an edge, or never counted such a thing, gives no number; a quiet one gives 0."""
    start = [counted("start", DONE, 5, peer="payments")]
    unheard = taken(plant(tmp_path / "a", HUNDRED, start), metrics.attempts(charge))
    assert unheard == told(None, why="exchange was not heard at the end of fault of off")
    both = [*start, counted("end", DONE, 5, peer="payments")]
    run = plant(tmp_path / "b", HUNDRED, both)
    assert taken(run, metrics.attempts(charge)) == told(0)
    never = taken(run, metrics.attempts(Link(exchange, Service("ledger"))))
    assert never.why == f'exchange never showed {DONE}{{peer="ledger"}}'
    assert taken(run, metrics.attempts_per_request("exchange->ledger")).value is None
    assert taken(run, metrics.cpu_share(exchange)).value is None
    first_seen = [counted(edge, "up", 1) for edge in ("start", "end")] + [counted("end", DONE, 4, peer="payments")]
    assert taken(plant(tmp_path / "c", HUNDRED, first_seen), metrics.attempts(charge)) == told(4)


def test_counters_gauges_and_cpu_of_a_service(tmp_path: Path) -> None:
    """A counter's growth by labels, a gauge's highest edge, CPU seconds a second."""
    rows = [
        counted("start", "breaker_transitions_total", 1, peer="payments", to="open"),
        counted("end", "breaker_transitions_total", 4, peer="payments", to="open"),
        counted("end", "breaker_transitions_total", 2, peer="payments", to="closed"),
        counted("start", "queue_depth", 12), counted("end", "queue_depth", 4),
        counted("start", "process_cpu_seconds_total", 1.5), counted("end", "process_cpu_seconds_total", 4.0),
    ]  # fmt: skip
    run = plant(tmp_path, HUNDRED, rows)
    assert taken(run, metrics.counter_increase(exchange, "breaker_transitions_total")) == near(5)
    assert taken(run, metrics.counter_increase(exchange, "breaker_transitions_total", to="open")) == near(3)
    assert taken(run, metrics.gauge_max(exchange, "queue_depth")) == near(12)
    assert taken(run, metrics.cpu_share("exchange")) == near(0.25)
    none = taken(run, metrics.gauge_max(exchange, "queue_depth", queue="slow"))
    assert none.why == 'exchange showed no queue_depth{queue="slow"} at the edges of fault of off'
    frozen = [dict(row, at_s=10.0) for row in rows]
    assert taken(plant(tmp_path, HUNDRED, frozen), metrics.cpu_share(exchange)).value is None


def test_counters_of_several_services_are_added_and_set_in_relation(tmp_path: Path) -> None:
    """Two instances are counted as one; a ratio has no value where what it is taken of stood still or began anew."""
    twin = Service("twin")
    queries, renewals = "queries_total", "renewals_total"
    rows = [
        counted("start", queries, 10), counted("end", queries, 40), counted("start", renewals, 1),
        counted("end", renewals, 2), counted("start", "idle_total", 5), counted("end", "idle_total", 5),
    ]  # fmt: skip
    theirs = [dict(row, service="twin", value=10 * row["value"]) for row in rows]
    run = plant(tmp_path, HUNDRED, [*rows, *theirs])
    both = [exchange, twin]
    assert taken(run, metrics.counter_increase(both, queries)) == near(330)
    assert taken(run, metrics.counter_quotient(exchange, queries, per=renewals)) == near(30)
    assert taken(run, metrics.counter_quotient(both, queries, per=renewals)) == near(30)
    still = taken(run, metrics.counter_quotient(both, queries, per="idle_total"))
    assert still.why == "idle_total did not grow in fault of off: there is nothing to divide by"
    unheard = taken(run, metrics.counter_quotient([exchange, Service("gone")], queries, per=renewals))
    assert unheard.why == "gone was not heard at the start of fault of off"
    restarted = [dict(row, value=3) if row["edge"] == "end" else row for row in theirs]
    run = plant(tmp_path / "restarted", HUNDRED, [*rows, *restarted])
    assert taken(run, metrics.counter_increase(both, queries)).censored
    assert "restarted" in taken(run, metrics.counter_quotient(both, queries, per=renewals)).why


def test_a_panel_and_a_profile_give_numbers_too(tmp_path: Path) -> None:
    """The highest value of a panel within the phase; the share of samples with a function on the stack."""
    series: list[Row] = [
        {"trial": 1, "variant": "off", "panel": "Queue", "series": "a", "at_s": at, "value": value}
        for at, value in ((9.0, 99.0), (11.0, 4.0), (12.0, 6.0), (21.0, 99.0))
    ]
    folded = "main (a.py:1);hash (a.py:9) 30\nmain (a.py:1);idle (a.py:3) 10\n"
    profiles = {"1-off/exchange.fault.folded": folded, "1-off/exchange.recovery.folded": ""}
    run = plant(tmp_path, HUNDRED, series=series, profiles=profiles)
    assert taken(run, metrics.panel_max("Queue")) == near(6)
    assert taken(run, metrics.panel_max("Que")).why == 'the panel "Que" has no values in fault of off'
    assert taken(run, metrics.profile_share(exchange, "hash")) == near(0.75)
    assert taken(run, metrics.profile_share(exchange, "hash"), "baseline").why.startswith("exchange was not profiled")
    assert taken(run, metrics.profile_share(exchange, "hash"), "recovery").why.startswith("the profile of exchange in")


def test_two_profiles_say_what_fell(tmp_path: Path) -> None:
    """A share's fall in points, and its place among all falls of own shares; without both profiles, the reason."""
    before = "main (a.py:1);hash (a.py:9) 60\nmain (a.py:1);sort (a.py:5) 30\nmain (a.py:1) 10\n"
    after = "main (a.py:1);hash (a.py:9) 10\nmain (a.py:1);sort (a.py:5) 20\nmain (a.py:1) 70\n"
    profiles = {"1-off/exchange.fault.folded": before, "1-on/exchange.fault.folded": after}
    run = plant(tmp_path, HUNDRED, both=True, profiles=profiles | {"1-on/exchange.recovery.folded": after})

    def points(function: str, phase: str = "fault") -> metrics.Measured:
        return taken(run, metrics.profile_fall_points(exchange, function, since="off"), phase, variant="on")

    def rank(function: str, phase: str = "fault") -> metrics.Measured:
        return taken(run, metrics.profile_fall_rank(exchange, function, since="off"), phase, variant="on")

    assert (points("hash"), points("sort"), points("main"), points("gone")) == (near(50), near(10), near(0), near(0))
    assert (rank("hash"), rank("sort"), rank("main")) == (near(1), near(2), near(3))
    assert rank("gone").why == "no sample of exchange in off ended in gone"
    for missing in (points("hash", "recovery"), rank("hash", "recovery")):
        assert missing.why == "exchange was not profiled in recovery of off"
    nowhere = metrics.profile_fall_points(exchange, "hash", since="neither")
    assert taken(run, nowhere, variant="on").why == "the run has no neither in trial 1: it ended before"


# --- asking -----------------------------------------------------------------------------------------------------


def test_what_the_run_did_not_come_to_is_unmeasured(tmp_path: Path) -> None:
    """A variant, trial or phase that the run did not reach gives a reason in place of a number."""
    run = plant(tmp_path, HUNDRED, phases=PHASES[:2], trials=2)
    assert taken(run, metrics.p50_ms(), variant="on").why == "the run has no on in trial 1: it ended before"
    assert taken(run, metrics.p50_ms(), trial=2).why == "the run has no off in trial 2: it ended before"
    assert (
        taken(run, metrics.p50_ms(), "recovery").why == "off did not come to recovery in trial 1: the run ended before"
    )
    assert taken(run, metrics.p50_ms(), "baseline").why == "no operation was due in baseline of off, trial 1"


def test_a_record_of_another_lab_is_unmeasured_not_an_error(tmp_path: Path) -> None:
    """A metric or arguments that this lab does not know give a reason in place of a number."""
    window = metrics.window(plant(tmp_path, HUNDRED), "off", "fault")
    assert metrics.measure(MetricSpec("p75_ms", "ms"), window).why == 'this lab has no metric "p75_ms"'
    strange = metrics.measure(MetricSpec("p90_ms", "ms", {"depth": 3}), window)
    assert strange.why.startswith("p90_ms does not take the recorded arguments: got an unexpected keyword")


def test_asking_wrongly_says_how_to_ask() -> None:
    """A call with missing or senseless arguments names the metric and what it takes."""
    with pytest.raises(TypeError, match=r"metrics\.attempts\(link.*missing a required argument: 'link'"):
        metrics.attempts()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"metrics\.attempts: link is \[\]; it takes text, a number, a link"):
        metrics.attempts([])  # type: ignore[arg-type]


def test_every_metric_carries_its_unit_in_its_name() -> None:
    """Names end in their unit, and what has none has no unit; all of them are offered to scenarios."""
    one, two = ["a->b"], ["a", "b"]
    arguments = {"attempts": one, "attempts_per_request": one, "cpu_share": one, "panel_max": one}
    arguments |= {"counter_increase": two, "gauge_max": two, "profile_share": two}
    three = ["a", "b", "c"]
    arguments |= {"counter_quotient": three, "profile_fall_points": three, "profile_fall_rank": three}
    arguments |= dict.fromkeys(("catch_up_s", "messages_again", "messages_lost"), one)
    for name in metrics.names():
        unit = {"ms": "ms", "s": "s", "points": "points"}.get(name.rsplit("_", 1)[-1], "")
        unit = "/s" if name.endswith("_per_s") else unit
        assert name in metrics.__all__
        made = getattr(metrics, name)(*arguments.get(name, []))
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
