"""What services count of themselves, planted by hand: attempts, counters, gauges, CPU time, panels, profiles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from planted_runs import Row, counted, operation, plant, taken, told

from lab import metrics
from lab.metrics import Measured
from lab.model import Link, Metric, Service
from lab.record import PanelSpec

exchange, payments = Service("exchange"), Service("payments")
charge = Link(exchange, payments)
HUNDRED = [operation(10 + k / 20, (k + 1) / 1000) for k in range(100)]  # waits of 1, 2, ... 100 ms
IN_BOTH = [*HUNDRED, *({**row, "variant": "on"} for row in HUNDRED)]
DONE = "http_client_request_duration_seconds_count"
ACTIVE = "http_client_active_requests"


def near(value: float, censored: bool = False) -> Measured:
    """Give that number, within rounding."""
    close: Any = pytest.approx(value)
    return told(close, censored)


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
    late = operation(19.999, 0.01)  # due after the caller was asked, at 19.9 s
    rows = [dict(row, at_s=19.9) if row["edge"] == "end" else row for row in rows]
    run = plant(tmp_path, [*HUNDRED[:20], late], rows)
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
    assert unheard == told(None, why="exchange was not scraped at the end of fault of off")
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
    assert taken(run, metrics.counter_per_s(exchange, "breaker_transitions_total", to="open")) == near(0.3)
    pace = taken(plant(tmp_path, HUNDRED, frozen), metrics.counter_per_s(exchange, "breaker_transitions_total"))
    assert pace.why == "the snapshots of exchange at the edges of fault of off are not apart"


def test_the_highest_of_several_services_rises(tmp_path: Path) -> None:
    """Terms 2, 2, 9 become 10, 10, dead: 1; where half of the members are silent at an edge there is no number."""
    members = [Service(f"raft-{n}") for n in (1, 2, 3)]
    terms = {"start": [2, 2, 9], "end": [10, 10]}
    rows = [
        dict(counted(edge, "raft_term", term), service=f"raft-{n}")
        for edge, of_members in terms.items()
        for n, term in enumerate(of_members, 1)
    ]
    run = plant(tmp_path / "a", HUNDRED, rows)
    assert taken(run, metrics.highest_rise(members, "raft_term")) == told(1.0, n=3)
    run = plant(tmp_path / "b", HUNDRED, rows[:-1])
    why = "1 of 3 services showed raft_term at the end of fault of off: too few"
    assert taken(run, metrics.highest_rise(members, "raft_term")) == told(None, why=why)


def test_counters_of_several_services_are_added_and_set_in_relation(tmp_path: Path) -> None:
    """Two instances are counted as one; a ratio has no value where what it is taken of stood still or began anew."""
    twin = Service("twin")
    queries, renewals = "queries_total", "renewals_total"
    rows = [
        counted("start", queries, 10), counted("end", queries, 160), counted("start", renewals, 1),
        counted("end", renewals, 6), counted("start", "idle_total", 5), counted("end", "idle_total", 5),
    ]  # fmt: skip
    theirs = [dict(row, service="twin", value=10 * row["value"]) for row in rows]
    run = plant(tmp_path, HUNDRED, [*rows, *theirs])
    both = [exchange, twin]
    assert taken(run, metrics.counter_increase(both, queries)) == near(150 * 11)
    assert taken(run, metrics.counter_quotient(exchange, queries, per=renewals)) == near(30)
    assert taken(run, metrics.counter_quotient(both, queries, per=renewals)) == near(30)
    still = taken(run, metrics.counter_quotient(both, queries, per="idle_total"))
    assert still.n == 0
    assert still.why == "idle_total did not grow in fault of off: there is nothing to divide by"
    unheard = taken(run, metrics.counter_quotient([exchange, Service("gone")], queries, per=renewals))
    assert unheard.why == "gone was not scraped at the start of fault of off"
    restarted = [dict(row, value=3) if row["edge"] == "end" else row for row in theirs]
    run = plant(tmp_path / "restarted", HUNDRED, [*rows, *restarted])
    assert taken(run, metrics.counter_increase(both, queries)).censored
    assert "restarted" in taken(run, metrics.counter_quotient(both, queries, per=renewals)).why


def test_calls_in_flight_are_attempts_though_none_is_finished(tmp_path: Path) -> None:
    """Forty calls in flight at a peer that never answers are forty attempts."""
    rows = [counted("start", "up", 1), counted("end", ACTIVE, 40, peer="payments"), counted("end", "up", 1)]
    run = plant(tmp_path, HUNDRED, rows)
    assert taken(run, metrics.attempts(charge)) == told(40)
    assert taken(run, metrics.attempts_per_request(charge)) == told(0.4, n=100)


@pytest.mark.parametrize(("grown", "spare", "quotient"), [(8, 0, 1.0), (9, 0, 1.125), (9, 1, 1.0), (10, 1, 1.125)])
def test_a_quotient_of_small_counts_has_room_for_one(tmp_path: Path, grown: int, spare: int, quotient: float) -> None:
    """Eight renewals and one query more: with one to spare the quotient says what the counts say."""
    rows = [
        counted("start", "queries_total", 10), counted("end", "queries_total", 10 + grown),
        counted("start", "renewals_total", 1), counted("end", "renewals_total", 9),
    ]  # fmt: skip
    found = taken(
        plant(tmp_path, HUNDRED, rows),
        metrics.counter_quotient(exchange, "queries_total", per="renewals_total", spare=spare),
    )
    assert found == told(quotient, n=8)


def test_a_quotient_of_too_few_is_none(tmp_path: Path) -> None:
    """Four renewals are no sample, unless the scenario says that they are; below 0 there is nothing to spare."""
    rows = [
        counted("start", "queries_total", 0), counted("end", "queries_total", 1),
        counted("start", "renewals_total", 0), counted("end", "renewals_total", 4),
    ]  # fmt: skip
    run = plant(tmp_path, HUNDRED, rows)
    few = taken(run, metrics.counter_quotient(exchange, "queries_total", per="renewals_total"))
    assert few == told(None, why="only 4 renewals_total in fault of off; the metric takes at least 5", n=4)
    asked = metrics.counter_quotient(exchange, "queries_total", per="renewals_total", least=4, spare=3)
    assert taken(run, asked) == told(0.0, n=4)


def test_a_label_may_have_either_of_two_values(tmp_path: Path) -> None:
    """Anomalies that happen in any half: those not prevented, and those prevented for readers alone."""
    rows = [counted("start", "plays_total", 0, prevented="no")]
    rows += [counted("end", "plays_total", n, prevented=how) for n, how in ((1, "no"), (2, "read-only"), (4, "yes"))]
    run = plant(tmp_path, HUNDRED, rows)
    assert taken(run, metrics.counter_increase(exchange, "plays_total", prevented="no, read-only")) == told(3)
    assert taken(run, metrics.counter_increase(exchange, "plays_total", prevented="no")) == told(1)


def series(*samples: tuple[float, float]) -> list[Row]:
    """Samples (second, value) of a panel's one series."""
    return [
        {"trial": 1, "variant": "off", "panel": "Queue", "series": "a", "at_s": at, "value": value}
        for at, value in samples
    ]


def test_a_panel_and_a_profile_give_numbers_too(tmp_path: Path) -> None:
    """The highest value of a panel within the phase; the share of samples with a function on the stack."""
    values = series((9.0, 99.0), (10.0, 50.0), (11.0, 4.0), (20.0, 6.0), (21.0, 99.0))
    folded = "main (a.py:1);hash (a.py:9) 45\nmain (a.py:1);idle (a.py:3) 15\n"
    profiles = {"1-off/exchange.fault.folded": folded, "1-off/exchange.recovery.folded": ""}
    profiles["1-off/exchange.baseline.folded"] = "main (a.py:1) 49\n"
    run = plant(tmp_path, HUNDRED, series=values, profiles=profiles)
    assert taken(run, metrics.panel_max("Queue")) == near(6)
    assert taken(run, metrics.panel_max("Que")).why == 'the panel "Que" has no values in fault of off'
    assert taken(run, metrics.profile_share(exchange, "hash")) == told(0.75, n=60)
    few = taken(run, metrics.profile_share(exchange, "main"), "baseline")
    assert few.why == "the profile of exchange in baseline of off has only 49 samples; a share takes at least 50"
    assert taken(run, metrics.profile_share(payments, "hash")).why.startswith("payments was not profiled")
    assert "has no sample" in taken(run, metrics.profile_share(exchange, "hash"), "recovery").why


def test_a_panel_tells_of_its_phase_and_not_of_what_was_before(tmp_path: Path) -> None:
    """Fifty until 10 s and then none: the highest from 10 s to 20 s is 0; a rate over 5 s forgets by 15 s."""
    gauge = series(*((at, 50.0 if at <= 10 else 0.0) for at in range(31)))
    assert taken(plant(tmp_path / "gauge", HUNDRED, series=gauge), metrics.panel_max("Queue")) == told(0, n=10)
    rate = series(*((at, 50.0 if at <= 10 else max(0.0, 50.0 * (15 - at) / 5)) for at in range(31)))
    panels = [PanelSpec("Queue", "sum(rate(jobs_total[5s]))", "ops", "")]
    run = plant(tmp_path / "rate", HUNDRED, series=rate, panels=panels)
    assert taken(run, metrics.panel_max("Queue")) == told(0, n=6)
    assert taken(run, metrics.panel_max("Queue"), "baseline") == told(50, n=6)


def test_two_profiles_say_what_fell(tmp_path: Path) -> None:
    """A share's fall in points, and its place among all falls of own shares; without both profiles, the reason."""
    before = "main (a.py:1);hash (a.py:9) 60\nmain (a.py:1);sort (a.py:5) 30\nmain (a.py:1) 10\n"
    after = "main (a.py:1);hash (a.py:9) 10\nmain (a.py:1);sort (a.py:5) 20\nmain (a.py:1) 70\n"
    profiles = {"1-off/exchange.fault.folded": before, "1-on/exchange.fault.folded": after}
    run = plant(tmp_path, IN_BOTH, both=True, profiles=profiles | {"1-on/exchange.recovery.folded": after})

    def points(function: str, phase: str = "fault") -> metrics.Measured:
        return taken(run, metrics.profile_fall_points(exchange, function, since="off"), phase, variant="on")

    def rank(function: str, phase: str = "fault") -> metrics.Measured:
        return taken(run, metrics.profile_fall_rank(exchange, function, since="off"), phase, variant="on")

    assert (points("hash"), points("sort"), points("main"), points("gone")) == (near(50), near(10), near(0), near(0))
    assert (rank("hash"), rank("sort"), rank("main")) == (near(1), near(2), near(3))
    assert rank("gone").why == "no sample of exchange in off ended in gone"
    for missing in (points("hash", "recovery"), rank("hash", "recovery")):
        assert missing.why == "exchange was not profiled in recovery of off"
    assert taken(run, metrics.profile_per_request(exchange, "hash")) == told(60 / 100, n=100)
    assert taken(run, metrics.profile_per_request(exchange, "main"), variant="on") == told(100 / 100, n=100)
    few = taken(
        plant(tmp_path / "few", HUNDRED, both=True, profiles=profiles),
        metrics.profile_fall_rank(exchange, "hash", since="off"),
        variant="on",
    )
    assert (few.value, few.n) == (None, 0)
    nowhere = metrics.profile_fall_points(exchange, "hash", since="neither")
    assert taken(run, nowhere, variant="on").why == "the run has no neither in trial 1: it ended before"


def test_the_difference_is_of_samples_per_request_and_not_of_shares(tmp_path: Path) -> None:
    """`hash` loses its 10 samples, `sort` keeps its 90: where `poll` joins, the share of `sort` falls by more."""
    before = "main (a.py:1);hash (a.py:9) 10\nmain (a.py:1);sort (a.py:5) 90\n"
    after = "main (a.py:1);sort (a.py:5) 90\nmain (a.py:1);poll (a.py:7) 900\n"
    profiles = {"1-off/exchange.fault.folded": before, "1-on/exchange.fault.folded": after}
    run = plant(tmp_path, IN_BOTH, both=True, profiles=profiles)
    for function, rank, points in (("hash", 1, 10), ("sort", 2, 90 - 100 * 90 / 990)):
        fell = metrics.profile_fall_points(exchange, function, since="off")
        assert taken(run, fell, variant="on") == near(points)
        assert taken(run, metrics.profile_fall_rank(exchange, function, since="off"), variant="on") == near(rank)
