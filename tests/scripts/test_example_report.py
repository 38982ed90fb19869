"""scripts/example_report.py keeps what a reader may open, and nothing else."""

from __future__ import annotations

import re
import runpy
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lab.cli import open_run
from lab.record import Run, read_run, with_judgement, write_record
from lab.verdict import judge

pytestmark = [pytest.mark.e2e, pytest.mark.untraced]

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "report"))

from fabricate import Recipe, fabricate  # noqa: E402

SCRIPT = runpy.run_path(str(ROOT / "scripts" / "example_report.py"))
MAIN: Callable[[list[str]], int] = SCRIPT["main"]


@pytest.fixture(scope="module")
def passed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that passed."""
    return fabricate(tmp_path_factory.mktemp("reports"), Recipe(phases_s=(5, 20, 12), panels=1))


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A page that shows a verdict."""
    file = tmp_path / "page.md"
    file.write_text("Before.\n<!-- verdict: by hand -->\nold\n<!-- end of verdict -->\nAfter.\n", "utf-8")
    return file


@pytest.fixture
def run(passed: Run, tmp_path: Path) -> Run:
    """A copy of it, to be spoilt."""
    return read_run(shutil.copytree(passed.path, tmp_path / "run"))


def told(run: Run, capsys: pytest.CaptureFixture[str]) -> str:
    """Why a run was refused; no example is left behind."""
    examples = run.path.parent / "examples"
    assert MAIN([str(run.path), "--to", str(examples)]) == 3
    assert not list(examples.glob("*"))
    return capsys.readouterr().err


def test_an_example_can_be_read_and_judged_again(run: Run, page: Path) -> None:
    """The report, its data and its charts are there, and the judge says of the example what it said of the run."""
    examples = run.path.parent / "examples"
    assert MAIN([str(run.path), "--to", str(examples), "--readme", str(page)]) == 0
    kept = open_run("circuit-breaker", examples)
    names = {path.name for path in kept.path.iterdir()}
    assert {"index.html", "summary.md", "junit.xml", "charts", "record.json", "operations.parquet"} <= names
    assert judge(kept).verdict == "PASS"


def test_of_the_logs_only_the_traces_shown_are_kept(run: Run, page: Path) -> None:
    """Every line kept belongs to a trace on the page; most lines are left out, and Prometheus' own are."""
    examples = run.path.parent / "examples"
    (run.path / "logs" / "prometheus.log").write_text("level=info\n")
    assert MAIN([str(run.path), "--to", str(examples), "--readme", str(page)]) == 0
    kept = examples / "circuit-breaker"
    html = (kept / "index.html").read_text("utf-8")
    told = set(re.findall(r"\w+", html))
    lines = [line for log in kept.rglob("*.log") for line in log.read_text("utf-8").splitlines()]
    before = [line for log in run.logs.rglob("*.log") for line in log.read_text("utf-8").splitlines()]
    shown = [line for line in before if (trace := re.search(r'"trace_id": ?"(\w+)"', line)) and trace[1] in told]
    assert sorted(lines) == sorted(shown)
    assert 0 < len(lines) < len(before) / 2
    assert not (kept / "logs" / "prometheus.log").exists()


def test_every_link_of_an_example_leads_somewhere(run: Run, page: Path) -> None:
    """No relative link of the page points to what was not kept, but the one to the index of all runs."""
    examples = run.path.parent / "examples"
    assert MAIN([str(run.path), "--to", str(examples), "--readme", str(page)]) == 0
    kept = examples / "circuit-breaker"
    links = set(re.findall(r'href="([^"#:]+)"', (kept / "index.html").read_text("utf-8")))
    assert "record.json" in links
    assert [link for link in links if not (kept / link).exists()] == ["../../index.html"]


def test_the_verdict_is_shown_on_the_page(run: Run, page: Path) -> None:
    """What the terminal prints stands between the marks, and the rest of the page is as it was."""
    examples = run.path.parent / "examples"
    assert MAIN([str(run.path), "--to", str(examples), "--readme", str(page)]) == 0
    lines = page.read_text("utf-8").splitlines()
    assert (lines[0], lines[-1]) == ("Before.", "After.")
    assert "old" not in lines
    assert any("PASS" in line for line in lines)
    assert max(map(len, lines[3:-3])) <= 80 + len(str(examples))  # the last line is a path


def test_a_page_without_marks_is_refused(run: Run, page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The verdict is not put just anywhere."""
    page.write_text("Nothing here.")
    assert MAIN([str(run.path), "--to", str(run.path.parent / "examples"), "--readme", str(page)]) == 3
    assert "to put the verdict between" in capsys.readouterr().err
    assert page.read_text() == "Nothing here."


def test_a_newer_example_takes_the_place_of_the_older(run: Run, page: Path) -> None:
    """Nothing of the example before is left."""
    place = run.path.parent / "examples" / "circuit-breaker"
    place.mkdir(parents=True)
    (place / "old.txt").write_text("old")
    assert MAIN([str(run.path), "--to", str(place.parent), "--readme", str(page)]) == 0
    assert not (place / "old.txt").exists()


def test_a_run_that_did_not_pass_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An example shows what the lab is for."""
    failed = fabricate(tmp_path / "reports", Recipe(phases_s=(4, 7, 7), per_s=25, breaker_ignored=True))
    assert "an example must PASS" in told(failed, capsys)


def test_a_quick_look_is_refused(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """An example has the length that its scenario asks for."""
    write_record(run.path, replace(run.record, scale=0.5))
    assert "run it at full length" in told(run, capsys)


@pytest.mark.parametrize("folder", ["/home/ann/lab", "/root/lab", "/Users/bob", str(ROOT)])
def test_a_run_that_names_a_folder_of_its_machine_is_refused(
    run: Run, capsys: pytest.CaptureFixture[str], folder: str
) -> None:
    """Nobody learns where somebody's home is."""
    write_record(run.path, replace(run.record, notes=[f"{folder}/x is not there"]))
    assert "names a folder of this machine" in told(run, capsys)


def test_a_folder_inside_a_table_is_found(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """Tables are packed, and are read all the same."""
    table = run.table("operations")
    at = table.schema.get_field_index("error")
    values = ["cannot open /home/ann/secret", *table["error"].to_pylist()[1:]]
    field = table.schema.field(at)
    planted = table.set_column(at, field, pa.array(values).cast(field.type))
    pq.write_table(planted, run.path / "operations.parquet", compression="zstd")
    said = told(run, capsys)
    assert "names a folder of this machine (/home)" in said


def test_a_large_example_is_refused(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """What git keeps stays small."""
    (run.profiles / "noise.folded").write_text("a;b 1\n" * 600_000)
    assert "3,000,000 are allowed" in told(run, capsys)


def test_what_is_no_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder without a record is told as such."""
    assert MAIN([str(tmp_path)]) == 3
    assert "no run there" in capsys.readouterr().err


def test_judging_changes_nothing(passed: Run) -> None:
    """The fabricated run passes by itself: each refusal above comes from what was spoilt."""
    assert with_judgement(passed.record, judge(passed)).judgement == passed.record.judgement
    assert passed.record.judgement
    assert passed.record.judgement.verdict == "PASS"
