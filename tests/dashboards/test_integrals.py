"""Panels of rates add up to what was counted: of the example run, and of runs in which something is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from lab.dashboards import integrals as room
from lab.dashboards.asked import panels, scenario_that_asks
from lab.dashboards.integrals import LOG, Counted, Integral, integrals
from lab.record import Run, read_run

ROOT = Path(__file__).resolve().parents[2]
ROWS = {("off", "http_response_status_code=504"), ("off", "http_response_status_code=502")}


@pytest.fixture(scope="module")
def run() -> Run:
    """The example, which asked its own panels alone."""
    return read_run(ROOT / "reports" / "example" / "circuit-breaker")


def test_the_example_shows_what_was_counted(run: Run) -> None:
    """Each answer of the exchange, from the operation log, and each call of payments, as the exchange counted it."""
    found = list(integrals(run))
    assert {one.panel for one in found} == {"Calls to payments", "Trades by answer"}
    assert [
        f"{one.panel}, {one.variant}, {one.series}: {one.verdict}" for one in found if one.verdict != "agrees"
    ] == []
    of_log = {(one.variant, one.series): one for one in found if one.counted.by == LOG}
    assert set(of_log) > ROWS
    statuses = [row["status"] for row in run.table("operations").to_pylist() if row["variant"] == "off"]
    assert of_log["off", "http_response_status_code=504"].counted.all == statuses.count(504) > 100


def test_the_first_jump_of_a_series_is_missed_where_it_is_not_there_before(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A series that appears with its first burst has no sample to rise from: its panel shows next to nothing of it."""
    told = room._told(run)

    def without_the_burst(_: Run) -> Mapping[str, room.Series]:
        answers = told["Trades by answer"]
        off = {name: [] if ("off", name) in ROWS else points for name, points in answers["off"].items()}
        return {**told, "Trades by answer": {**answers, "off": off}}

    monkeypatch.setattr(room, "_told", without_the_burst)
    assert {(one.variant, one.series) for one in integrals(run) if one.verdict == "DIFFERS"} == ROWS


COUNTED = Counted(all=400, early=10, late=40, less=("paused",), more=("unheard",))


@pytest.mark.parametrize(
    ("shown", "counted", "verdict"),
    [
        (268, COUNTED, "agrees"),  # (400 - 40) * 3 / 4 - 2
        (267, COUNTED, "may differ: paused"),
        (424, COUNTED, "agrees"),  # 1.03 * (400 + 10) + 2 = 424.3
        (425, COUNTED, "may differ: unheard"),
        (267, replace(COUNTED, less=()), "DIFFERS"),
        (425, replace(COUNTED, more=()), "DIFFERS"),
    ],
)
def test_a_reason_excuses_one_direction(shown: float, counted: Counted, verdict: str) -> None:
    """Less where samples or the end are missing, more where the count is."""
    assert Integral("off", "Answers", "504", shown, 4.0, counted).verdict == verdict


def test_every_panel_of_rates_that_counts_is_compared(run: Run) -> None:
    """Shares, quantiles and seconds of CPU count nothing; of the other panels of a dashboard none is passed over."""
    compared = {one.panel for one in integrals(run)}
    rates = {
        panel["title"]
        for panel, queries in panels("circuit-breaker")
        if panel["type"] == "timeseries" and any(room.RATE.search(query.expr) for query in queries)
    }
    not_counted = {"Errors", "Duration, p99", "Calls, p99", "CPU", "Bytes received", "Bytes sent"}
    assert rates - not_counted == compared | {
        "Requests",
        "Attempts and requests",
        "Calls without a good answer",
        "Breaker: calls rejected",
    }


def test_a_scenario_can_ask_its_dashboards_queries() -> None:
    """Its text is the scenario's own, with a panel for each query; no two have one title."""
    file = ROOT / "scenarios" / "ch09_observability" / "profile_culprit.py"
    text = scenario_that_asks(file, "profile-culprit")
    assert text.startswith(file.read_text("utf-8"))
    names: dict[str, object] = {"__name__": "asks"}
    exec(compile(text, str(file), "exec"), names)
    titles = [panel.title for panel in names["scenario"].panels]  # type: ignore[attr-defined]
    keys = {query.key for _, queries in panels("profile-culprit") for query in queries}
    assert keys < set(titles)
    assert len(set(titles)) == len(titles)
    assert not [panel for panel in names["asked"] if "$" in panel.expr]  # type: ignore[attr-defined]


@pytest.mark.parametrize(("at_s", "unseen"), [(10, 0), (15, 0), (17, 0.5), (19, 1), (20, 1)])
def test_what_comes_late_is_not_seen_whole(at_s: float, unseen: float) -> None:
    """An episode of 20 s and ranges of 4 s: what was counted at 17 s is scraped by 18 s, and in 2 of 4 evaluations."""
    assert room._unseen(at_s, 20, 4) == unseen


def test_between_two_snapshots_a_count_is_late_or_evenly_spread() -> None:
    """In a short time all of it may come last; of 40 s, 1 s is not seen at all and of 4 s one half."""
    assert room._missing(14, 17, 20, 4) == 0.5
    assert room._missing(0, 40, 40, 4) == pytest.approx((1 + 4 / 2) / 40, rel=0.02)
