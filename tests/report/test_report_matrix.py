"""The section that draws a matrix against a published one."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from fabricate import Recipe, Row, fabricate

from lab.catalogue.handbook import sections
from lab.record import InvariantSpec, Run, read_run, write_record, write_table
from lab.report import write_report
from lab.report.sections import matrix
from lab.report.view import View
from lab.verdict import judge

pytestmark = pytest.mark.e2e

PLAY, SOURCE = "POST /plays", "a paper of 2014"
INVARIANT = InvariantSpec("as published", "as_published", {"operation": PLAY, "source": SOURCE})
PUBLISHED = {"G1a": {"weak": "no", "strong": "yes"}, "P4": {"weak": "no", "strong": "read-only"}}
PUBLISHED |= {f"G-{n}": {"weak": "no", "strong": "yes"} for n in range(8)}


def play(variant: str, n: int, column: str, prevented: str) -> Row:
    """One measurement: `off` is the weak row, `on` the strong one."""
    row = {"off": "weak", "on": "strong"}[variant]
    steps = [["T1", "select <b>", f"{row} said {prevented}"], ["T1", "commit", "committed"]]
    script = {"title": "A script", "happened": prevented != "yes", "steps": steps, "after": "1 => 10"}
    answer = {
        "row": row,
        "column": column,
        "title": "circular information flow",
        "prevented": prevented,
        "scripts": [script],
    }
    times = {"due_s": n / 10, "start_s": n / 10, "end_s": n / 10 + 0.01}
    known = {"operation": PLAY, "outcome": "ok", "status": 200, "phase": "baseline", "trial": 1, "variant": variant}
    return {**known, **times, "n": n, "value": json.dumps(PUBLISHED[column]), "response": json.dumps(answer)}


def run_with(folder: Path, *plays: tuple[str, str, str]) -> Run:
    """A run whose operations are these measurements."""
    run = fabricate(folder, Recipe(phases_s=(4.0, 7.0, 7.0), per_s=25))
    rows = [play(variant, n, column, prevented) for n, (variant, column, prevented) in enumerate(plays)]
    write_table(run.path, "operations", rows)
    spec = replace(run.record.spec, invariants=[INVARIANT, *run.record.spec.invariants])
    write_record(run.path, replace(run.record, spec=spec))
    run = read_run(run.path)
    write_record(run.path, replace(run.record, judgement=judge(run)))
    return read_run(run.path)


def test_cells_stand_beside_what_was_published(tmp_path: Path) -> None:
    """Rows are variants, columns what was measured; a stronger and a weaker cell are named, and shown in the page."""
    run = run_with(
        tmp_path,
        ("off", "G1a", "no"),
        ("off", "P4", "yes"),
        ("on", "G1a", "yes"),
        ("on", "P4", "no"),
    )
    data = matrix.build(View(run, sections()))
    assert data is not None
    cells = {(row.name, name): square.relation for row in data.rows for name, square in row.squares.items()}
    assert cells == {
        ("weak", "G1a"): "as published",
        ("weak", "P4"): "stronger",
        ("strong", "G1a"): "as published",
        ("strong", "P4"): "weaker",
    }
    assert [(row, column) for row, column, _ in data.differing] == [("weak", "P4"), ("strong", "P4")]
    lines = data.columns[0].transcripts[0].lines
    assert [(line.by, list(line.answers)) for line in lines] == [
        ("T1", ["weak said no", "strong said yes"]),
        ("T1", ["committed", "committed"]),
    ]
    html = write_report(run, []).read_text("utf-8")
    assert "weaker; published: read-only" in html
    assert "stronger; published: happens" in html
    assert SOURCE in html
    assert "select &lt;b&gt;" in html
    order = re.findall(r'<section id="([a-z]+)"', html)
    assert order[order.index("matrix") - 1 :][:3] == ["claims", "matrix", "variants"]


@pytest.mark.parametrize("order", [("yes", "read-only"), ("read-only", "yes")])
def test_the_weakest_of_several_measurements_is_shown(tmp_path: Path, order: tuple[str, str]) -> None:
    """With its transcript, and with the word that it was not so each time."""
    run = run_with(tmp_path, *(("on", "G1a", prevented) for prevented in order), ("on", "P4", "read-only"))
    data = matrix.build(View(run, sections()))
    assert data is not None
    square = data.rows[0].squares["G1a"]
    assert (square.prevented, square.relation, square.times, square.steady) == ("read-only", "weaker", 2, False)
    assert square.cell.prevented == "read-only"
    assert data.rows[0].squares["P4"].steady


def test_without_a_published_matrix_there_is_no_section(tmp_path: Path) -> None:
    """Nor where nothing was measured."""
    run = fabricate(tmp_path / "plain", Recipe(phases_s=(4.0, 7.0, 7.0), per_s=25))
    assert matrix.build(View(run, sections())) is None
    spec = replace(run.record.spec, invariants=[INVARIANT])
    assert matrix.build(View(replace(run, record=replace(run.record, spec=spec)), sections())) is None


def test_what_was_found_under_load_is_counted(tmp_path: Path) -> None:
    """All that the checker found, however few of them are kept."""
    run = run_with(tmp_path, ("on", "G1a", "yes"))
    assert run.record.judgement is not None
    results = [replace(r, found=37, checked=40) for r in run.record.judgement.invariants]
    record = replace(run.record, judgement=replace(run.record.judgement, invariants=results))
    data = matrix.build(View(replace(run, record=record), sections()))
    assert data is not None
    assert data.others == [each.text for each in run.record.spec.invariants if each.check != "as_published"]
    assert [result.found for result in data.rows[0].counts if result] == [37] * len(data.others)
