"""Axes and labels: where a reader looks for a number, there is one, and no two texts lie over each other."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations

import pytest

from lab.record import Dose, Receipt, Run
from lab.report.charts import labels, latency
from lab.report.charts.timeline import _apart, _united, ticks
from lab.report.view import FaultWindow, View

ViewOf = Callable[[str], View]


@pytest.mark.parametrize("value", [500.0, 502.0, 0.6, 3_000.0])
def test_the_axis_has_a_label_where_the_data_are(value: float) -> None:
    """A band at 500 ms between 1 ms and 750 ms has 500 ms beside it, and decades where there is room."""
    found = ticks(0.5, 4_000, [value], apart=0.08)
    assert min(abs(math.log(tick / value)) for tick in found) < math.log(1.6), "of 1, 2 and 5 the nearest"
    assert all(abs(math.log(a / b)) >= 0.08 * math.log(8_000) for a, b in combinations(found, 2))
    assert ticks(0.5, 4_000, [], apart=0.08) == [1, 10, 100, 1000]
    assert ticks(120, 480, [], apart=0.08) == [200], "one label at least, where no decade lies within"


def test_short_phases_have_their_names_on_lines_of_their_own() -> None:
    """Names that would run into each other on a phone stand above each other, those at the end end there."""
    found = labels.placed([(0.0, "baseline"), (2.0, "blip"), (3.0, "killed-again"), (36.0, "recovery")], 37.0)
    assert [label.line for label in found] == [0, 1, 2, 0]
    assert (found[-1].align, found[-1].at_s) == ("right", 37.0)
    roomy = labels.placed([(0.0, "baseline"), (20.0, "fault"), (40.0, "recovery")], 60.0)
    assert [(label.line, label.align) for label in roomy] == [(0, "left")] * 3


def test_a_label_that_was_there_is_not_repeated_on_a_line_of_its_own() -> None:
    """Seven kills of the leader in a row are named once where there is no room, each where there is."""
    text = "the leader of raft killed"
    crowded = labels.placed([(k * 4.0, text) for k in range(7)], 30.0)
    assert {label.line for label in crowded} == {0}
    assert len(crowded) < 7
    assert len(labels.placed([(0.0, "n1 killed"), (50.0, "n1 killed")], 100.0)) == 2


def test_many_faults_at_once_are_counted() -> None:
    """Five servers killed within a quarter of a second are one label; two have one each."""
    killed = [FaultWindow(f"raft-{k} killed", 7.0 + k / 20, 17.0, in_force=True) for k in range(1, 6)]
    assert labels.of_faults(killed) == [(7.05, "raft-1 killed and 4 more")]
    assert [text for _, text in labels.of_faults(killed[:2])] == ["raft-1 killed", "raft-2 killed"]


def test_a_long_label_stays_where_its_window_begins() -> None:
    """Cut short where some of it can be read there; only where there is next to no room it ends with the plot."""
    text = "client->raft-1 +300 ms with jitter of 150 ms and 4 more"
    (early,) = labels.placed([(7.0, text)], 37.0)
    assert (early.align, early.at_s) == ("left", 7.0)
    assert early.limit_px == round(30 / 37 * labels.NARROW_PX)
    (late,) = labels.placed([(27.0, text)], 37.0)
    assert (late.align, late.at_s, late.limit_px) == ("right", 37.0, labels.WIDEST_PX)


def test_faults_at_the_same_time_are_shaded_once() -> None:
    """Five shades over each other would hide the bars behind them, five edges side by side would be one thick one."""
    killed = [{"s": 20.0 + k / 20, "e": 27.0} for k in range(5)]
    assert _united([*killed, {"s": 27.1, "e": 34.0}]) == [{"s": 20.0, "e": 27.0}, {"s": 27.1, "e": 34.0}]
    assert _apart([20.0, 20.05, 20.1, 27.0, 27.1, 34.0]) == [20.0, 27.0, 34.0]


def test_a_fault_that_ended_after_the_load_does_not_stretch_the_page(view_of: ViewOf) -> None:
    """Its window ends with the load; one that went in only then has none; no window is longer than its chart."""
    view = view_of("pass")
    episode, fault = view.episode("off"), view.spec.phases[1].faults[0]
    dose, last_s = Dose("", "", in_force=True), view.ended_s("off")
    made = [
        Receipt(replace(fault, text=text), "fault", start, end, {}, dose)
        for text, start, end in (("long", 6.0, last_s + 40), ("late", last_s + 1, last_s + 2))
    ]
    record = replace(view.record, episodes=[replace(episode, receipts=made)])
    windows = View(Run(view.run.path, record), {}).faults("off")
    assert [(w.text, w.end_s) for w in windows if w.in_force] == [("long", last_s)]


def test_timeouts_are_those_of_the_settings_and_of_the_load(view_of: ViewOf) -> None:
    """Of all variants and of this one, by the service that was told; only those near the waits are drawn."""
    view = view_of("pass")
    on = next(v for v in view.spec.variants if v.name == "on")
    variants = [view.spec.variants[0], replace(on, env={"exchange": {"LEDGER_TIMEOUT_S": 2, "BREAKER_OPEN_S": 5}})]
    spec = replace(view.spec, settings={"exchange": {"PAYMENTS_TIMEOUT_S": 0.5}}, variants=variants)
    told = View(replace(view.run, record=replace(view.record, spec=spec)), {})
    assert latency.timeouts_of(told, "off") == [
        ("exchange.PAYMENTS_TIMEOUT_S", 500.0),
        ("the load's timeout", 10_000.0),
    ]
    assert ("exchange.LEDGER_TIMEOUT_S", 2_000.0) in latency.timeouts_of(told, "on")
    assert latency._within(latency.timeouts_of(told, "off"), 1.0, 560.0) == [("exchange.PAYMENTS_TIMEOUT_S", 500.0)]
