"""Panels as a reader wants them: short names, samples where they belong, one sentence that says what they show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from lab.record import Event, PanelSpec, Run
from lab.report import findings, series
from lab.report.sections import events
from lab.report.view import View

ViewOf = Callable[[str], View]
RATE = PanelSpec("Calls", "sum by (error_type) (rate(calls_total[5s]))", "reqps", "")
BREAKER = PanelSpec("Breaker", "max by (peer) (breaker_state)", "short", "", {0: "closed", 1: "half-open", 2: "open"})
MOVES = [(7.0, "open"), (12.1, "half-open"), (12.6, "open"), (17.7, "half-open"), (17.71, "closed")]
TOLD = [Event(at_s, "exchange", "moved", "told", {"breaker": to, "peer": "payments"}) for at_s, to in MOVES]


def with_events(view: View, *told: Event) -> View:
    """The same run, whose variant `on` told these events."""
    episodes = [replace(e, events=list(told) if e.variant == "on" else []) for e in view.record.episodes]
    return View(Run(view.run.path, replace(view.record, episodes=episodes)), view.handbook)


def test_a_legend_has_values_and_no_labels() -> None:
    """`201`, not `http_response_status_code=201`; what is the same in all is left out; names that differ stay apart."""
    status = "http_response_status_code"
    assert series.shown([f"{status}=201", f"{status}=503"], "T") == {f"{status}=201": "201", f"{status}=503": "503"}
    assert series.shown(["Calls", "error_type=timeout"], "Calls") == {
        "Calls": "answered",
        "error_type=timeout": "timeout",
    }
    assert list(series.shown(["peer=a, service=x", "peer=b, service=x"], "T").values()) == ["a", "b"]
    assert list(series.shown(["peer=a, service=x", "peer=b, service=y"], "T").values()) == ["a · x", "b · y"]
    assert series.shown(["peer=payments"], "T") == {"peer=payments": "payments"}
    for as_given in (["to payments"], ["a=1", "a=1 (b=2)"], [""]):
        assert series.shown(as_given, "T") == {name: name for name in as_given}


def test_a_mean_stands_in_the_middle_of_its_time() -> None:
    """A rate over 5 s at 10 s is of 5 to 10 s: drawn at 7.5 s, so that it seems neither early nor late."""
    assert series.placed(RATE, [(1.0, 9.0), (3.0, 1.0), (10.0, 2.0)]) == [(0.5, 1.0), (7.5, 2.0)]
    assert series.window(RATE).startswith("mean over 5")
    assert series.placed(BREAKER, [(1.0, 2.0)]) == [(1.0, 2.0)]
    assert series.window(BREAKER) == ""


def test_a_breaker_is_drawn_as_its_caller_told(view_of: ViewOf) -> None:
    """A probe of 10 ms is in the chart though no scrape saw it, and the shares of time are those of the events."""
    view = with_events(view_of("pass"), *TOLD)
    scraped = {"peer=payments": [(float(k), 0.0) for k in range(30)]}
    found = series.exact(BREAKER, scraped, view.events("on"), 20.0)
    assert found["peer=payments"] == [
        (0.0, 0.0), (7.0, 2.0), (12.1, 1.0), (12.6, 2.0), (17.7, 1.0), (17.71, 0.0), (20.0, 0.0),
    ]  # fmt: skip
    assert series.is_exact(BREAKER, view)
    assert series.exact(RATE, scraped, view.events("on"), 20.0) == scraped
    assert series.exact(BREAKER, scraped, [], 20.0) == scraped
    says = findings.panel(view, BREAKER, {"off": {}, "on": {"payments": found["peer=payments"]}}, ["payments"])
    assert says == "on: open 51 %, closed 46.5 %, half-open 2.6 %."


def test_a_panel_is_told_by_its_highest_value(view_of: ViewOf) -> None:
    """Which series, which variant, when; one that never moves says so and is folded."""
    view = view_of("pass")
    samples = {"off": {"201": [(1.0, 40.0)], "504": [(8.0, 50.0)]}, "on": {"503": [(9.0, 45.5)]}}
    says = findings.panel(view, RATE, samples, ["201", "504", "503"]).replace("\u202f", " ")
    assert says == "Highest: 50 req/s (504) in off at 8.0 s, 45.5 req/s (503) in on at 9.0 s."
    still = {v: {"": [(1.0, 0.0), (2.0, 0.0)]} for v in ("off", "on")}
    assert findings.is_flat(still, [""])
    assert not findings.is_flat(samples, ["201", "504"])
    assert "stays at 0" in findings.panel(view, RATE, still, [""])


def test_who_led_is_told_by_name(view_of: ViewOf) -> None:
    """Of several servers the share of the time in which each led; those that never did are not named."""
    leads = PanelSpec("Who leads", "max by (service) (raft_is_leader)", "short", "", {0: "follows", 1: "leads"})
    on = {"raft-1": [(0.0, 1.0), (6.0, 0.0), (10.0, 0.0)], "raft-2": [(0.0, 0.0), (10.0, 0.0)]}
    says = findings.panel(view_of("pass"), leads, {"off": {}, "on": on}, ["raft-1", "raft-2"])
    assert says == "on: leads: raft-1 60 % of the time."


def test_what_the_variants_differ_in_is_said(view_of: ViewOf) -> None:
    """The phase with the widest gap, and both numbers."""
    view = view_of("pass")
    assert findings.latency(view).startswith("In fault, half of the requests wait at most")
    assert " in off and " in findings.latency(view)
    assert "succe" in findings.outcomes(view)


def test_events_are_listed_and_none_are_missed(view_of: ViewOf) -> None:
    """To the millisecond, with their facts; the greater part is folded; a record without any has no such section."""
    many = [Event(k / 100, "exchange", "breaker opened", "told", {"peer": "payments"}) for k in range(20)]
    data = events.build(with_events(view_of("pass"), *many, Event(1e9, "x", "after the load", "told")))
    assert data is not None
    off, on = data.variants
    assert (off.rows, len(on.rows), len(on.more)) == ([], events.SHOWN, 20 - events.SHOWN)
    assert (on.rows[1].at, on.rows[1].facts) == ("0.010", "peer payments")
    assert events.build(with_events(view_of("pass"))) is None
