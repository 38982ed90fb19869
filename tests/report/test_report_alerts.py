"""The report's section on alerts: held against the fault windows, left out where nobody knows."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fabricate import Recipe, fabricate

from lab.record import FiredAlert, Run, read_run, write_record
from lab.report import write_report
from lab.report.sections import alerts
from lab.report.view import View

pytestmark = pytest.mark.e2e


def alert(fired_s: float, ended_s: float | None, service: str = "exchange", name: str = "LabFastBurn") -> FiredAlert:
    """One of the exchange's, unless told."""
    return FiredAlert(name, "page", "availability", service, fired_s, ended_s)


def with_alerts(run: Run, by_variant: Mapping[str, Sequence[FiredAlert] | None]) -> Run:
    """The same run, in which these fired; baseline is 10 s, the fault 20 s, recovery 20 s."""
    episodes = [
        replace(e, alerts=None if (found := by_variant[e.variant]) is None else list(found))
        for e in run.record.episodes
    ]
    write_record(run.path, replace(run.record, episodes=episodes))
    return read_run(run.path)


def test_each_alert_is_held_against_the_fault(tmp_path: Path) -> None:
    """Before the fault it is a false alarm, in it it has a delay, after it it tells of what the fault left behind."""
    fired = [alert(4, 6), alert(13, 34), alert(33, None), alert(14, 20, service="payments")]
    run = with_alerts(fabricate(tmp_path), {"off": fired, "on": []})
    data = alerts.build(View(run, {}))
    assert data is not None
    off, on = data.variants
    assert [(row.kind, row.when, row.lasted) for row in off.front] == [
        ("false", "false alarm, nothing was broken", "2 s"),
        ("in", "after 3 s", "21 s"),
        ("after", "3 s after its end", "17 s and on"),
    ]
    assert [(band.seen, band.told) for band in off.bands] == [(True, "first alert after 3 s")]
    assert [row.about for row in off.behind] == ["availability of payments"]
    assert (off.front[1].left, off.front[1].width) == (26.0, 42.0)
    assert [(band.seen, band.told) for band in on.bands] == [(False, "no alert began while it was in")]
    assert not on.front
    page = write_report(run).read_text("utf-8")
    assert 'id="alerts"' in page
    assert "No alert fired for exchange." in page


def test_what_nobody_knows_is_not_called_quiet(tmp_path: Path) -> None:
    """A variant whose alerts are not known is named; a run of an older lab has no such section, and still opens."""
    run = with_alerts(fabricate(tmp_path), {"off": [], "on": None})
    data = alerts.build(View(run, {}))
    assert data is not None
    assert (len(data.variants), list(data.unknown)) == (1, ["on"])
    older = msgspec.json.decode((run.path / "record.json").read_bytes())
    for episode in older["episodes"]:
        del episode["alerts"]
    (run.path / "record.json").write_bytes(msgspec.json.encode(older))
    old = read_run(run.path)
    assert alerts.build(View(old, {})) is None
    assert 'id="alerts"' not in write_report(old).read_text("utf-8")


def test_an_alert_with_no_fault_to_tell_of_is_a_false_alarm(tmp_path: Path) -> None:
    """An experiment that breaks nothing has no window at all."""
    run = with_alerts(fabricate(tmp_path, Recipe()), {"off": [alert(13, 34)], "on": []})
    calm = replace(run.record.spec, phases=[replace(phase, faults=[]) for phase in run.record.spec.phases])
    episodes = [replace(episode, receipts=[]) for episode in run.record.episodes]
    run = replace(run, record=replace(run.record, spec=calm, episodes=episodes))
    data = alerts.build(View(run, {}))
    assert data is not None
    assert [row.kind for row in data.variants[0].front] == ["false"]
    assert not data.variants[0].bands
