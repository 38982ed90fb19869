"""Runs compared: what differs stands first, then claim by claim, on shared axes, with the history of each claim."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from fabricate import Recipe, fabricate

from lab.record import ActionSpec, Machine, Run, Turned, read_run, write_record
from lab.report.compare import write_comparison
from lab.report.compare.claims import Row, rows
from lab.report.compare.differing import facts

SMALL = Recipe(per_s=20)


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs: as it is, with a knob turned on another machine, and with three trials."""
    folder = tmp_path_factory.mktemp("reports")
    fabricate(folder, replace(SMALL, run="2026-01-01"))
    turned = fabricate(folder, replace(SMALL, run="2026-01-02", seed=9, breaker_ignored=True))
    knob = [Turned("on:exchange.BREAKER_OPEN_S", "10", "5")]
    elsewhere = Machine("Linux", "6.1", "another CPU", 8, 64_000_000_000, "3.12.1")
    write_record(turned.path, replace(turned.record, turned=knob, machine=elsewhere, started_epoch_s=2e9))
    fabricate(folder, replace(SMALL, run="2026-01-03", trials=3))
    return folder


@pytest.fixture(scope="module")
def runs(reports: Path) -> list[Run]:
    """All three."""
    return [read_run(reports / "circuit-breaker" / f"2026-01-0{n}") for n in (1, 2, 3)]


@pytest.fixture(scope="module")
def html(runs: list[Run], reports: Path) -> str:
    """The page of the first two."""
    return write_comparison(runs[:2], reports).read_text("utf-8")


def of(found: list[Row], text: str) -> Row:
    """The row of a claim."""
    return next(row for row in found if row.text == text)


def test_what_differs_is_told_from_what_is_the_same(runs: list[Run]) -> None:
    """Knobs, seed, machine; a load that is the same does not stand among them."""
    differing = {fact.name: list(fact.values) for fact in facts([run.record for run in runs[:2]]) if fact.differs}
    assert differing["knobs turned"] == ["none", "on:exchange.BREAKER_OPEN_S=10"]
    assert differing["seed"] == ["7", "9"]
    assert differing["machine"][1].startswith("another CPU, 8 cores")
    assert not {"load", "scale", "commit"} & set(differing)


def test_an_action_is_told_beside_the_faults_of_its_phase(runs: list[Run]) -> None:
    """Also where it alone differs, by its moment."""
    record = runs[0].record
    action = ActionSpec("promote", "fault", 5.0, "primary killed, a standby promoted", ["primary"])
    both = [replace(record, spec=replace(record.spec, actions=[replace(action, after_s=s)])) for s in (5.0, 9.0)]
    (differing,) = [fact for fact in facts(both) if fact.differs]
    assert differing.name == "phase fault"
    assert differing.values[1].endswith(", primary killed, a standby promoted after 9 s")


def test_a_claim_is_held_against_the_first_run(runs: list[Run]) -> None:
    """Both values, the difference with its sign, the factor; one trial has no interval."""
    row = of(rows([run.record for run in runs[:2]], []), "refusals are immediate")
    first, second = row.sides
    (difference,) = row.differences
    assert first
    assert second
    assert difference
    assert (first.verdict, second.verdict) == ("PASS", "FAIL")
    assert difference.text.startswith("+")
    assert difference.factor.startswith("× ")
    assert difference.interval == ""


def test_with_trials_a_difference_has_its_interval(runs: list[Run]) -> None:
    """And three each reach no 95 %."""
    (difference,) = of(rows([runs[2].record, runs[2].record], []), "payments is spared").differences
    assert difference
    assert difference.interval.endswith("(90%)")
    assert difference.beyond_chance is None


def test_the_history_has_every_run_with_its_bound(runs: list[Run]) -> None:
    """In order of time; those compared have letters, one with a knob turned is told apart."""
    records = [run.record for run in runs]
    past = of(rows(records[:2], [records[0], records[2], records[1]]), "refusals are immediate").history
    assert past
    assert [point.letter for point in past.points] == ["A", "", "B"]
    assert [point.full for point in past.points] == [True, True, False]
    assert [point.verdict for point in past.points] == ["PASS", "PASS", "FAIL"]
    (limit,) = past.bounds
    assert past.points[0].y > limit > past.points[2].y  # from the top: 50 ms lies between
    assert past.text.startswith("3 runs, ")


def test_a_claim_that_one_run_lacks_is_no_difference(runs: list[Run]) -> None:
    """It says so in that run's place."""
    first = runs[0].record
    assert first.judgement
    fewer = replace(first, judgement=replace(first.judgement, claims=first.judgement.claims[1:]))
    row = of(rows([fewer, first], []), first.judgement.claims[0].claim.text)
    assert row.sides[0] is None
    assert row.differences == [None]


def test_the_page_says_what_differs_first(html: str) -> None:
    """Above the claims; with links to both reports where they are, and nothing from elsewhere."""
    assert html.index('id="differs"') < html.index('id="claims"') < html.index('id="charts"')
    assert "on:exchange.BREAKER_OPEN_S=10" in html
    assert not re.search(r'(?:src|href)="https?:', html)
    assert len(html.encode()) < 2_000_000


def test_charts_share_their_axes(html: str) -> None:
    """The same seconds, rates and waits for every run of a variant, whatever each of them had."""
    specs = dict(re.findall(r'<script type="application/json" id="spec-([^"]+)">(.*?)</script>', html, re.DOTALL))
    assert {name.split("-")[0] for name in specs} == {"A", "B"}
    for chart in ("outcomes-on", "latency-on", "outcomes-off"):
        domains = [
            {scale["name"]: scale.get("domain") for scale in json.loads(specs[f"{letter}-{chart}"])["scales"]}
            for letter in "AB"
        ]
        assert domains[0]["x"] == domains[1]["x"]
        assert domains[0]["y"] == domains[1]["y"]
