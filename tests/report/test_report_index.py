from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fabricate import Recipe, fabricate
from reported import Reported

from lab.handbook import Section, sections
from lab.record import write_record
from lab.report import Entry, write_index

BREAKER = Entry("circuit-breaker", "Circuit breaker", "Does the exchange stay quick?", ["7.6.1.3", "8.5.5"])
STORM = Entry("retry-storm", "Retry <b>storm</b>", "What do retries do & cost?", ["7.6.1"])


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs of the circuit breaker: one passed, one was unknown, and the last was never judged."""
    folder = tmp_path_factory.mktemp("reports")
    small = Recipe(phases_s=(2, 3, 3), per_s=10)
    for run, recipe in (
        ("2026-01-01", replace(small, phases_s=(5, 20, 12), per_s=50)),
        ("2026-01-02", replace(small, fault_missing=True)),
        ("2026-01-03", small),
    ):
        last = fabricate(folder, replace(recipe, run=run))
    write_record(last.path, replace(last.record, judgement=None))
    (folder / "circuit-breaker" / "latest").symlink_to("2026-01-03")
    return folder


def lines_of(html: str) -> dict[str, str]:
    """Body of every section of the handbook by its number."""
    bodies = re.split(r'<div class="entry ', html)[1:]
    found = {}
    for body in bodies:
        number = re.search(r' id="s([0-9.]+)"', body)
        assert number is not None
        found[number[1]] = body
    return found


def test_every_numbered_section_is_there(reports: Path) -> None:
    """The index is the handbook's whole table of contents, in its order."""
    html = write_index(reports, list(sections().values()), [BREAKER, STORM]).read_text("utf-8")
    assert list(lines_of(html)) == list(sections())
    assert "2 experiments for 3 of 292 numbered sections" in " ".join(re.sub(r"<[^>]+>", "", html).split())


def test_sections_without_experiments_say_so(reports: Path) -> None:
    """A section has its experiments, or says how many are below it, or that there is none."""
    lines = lines_of(write_index(reports, list(sections().values()), [BREAKER, STORM]).read_text("utf-8"))
    assert "no experiment" in lines["7.5.1"]
    assert "2 below" in lines["7.6"]
    assert "no experiment" not in lines["7.6.1.3"]
    for number in BREAKER.sections:
        assert "Does the exchange stay quick?" in lines[number]


def test_the_last_verdict_and_those_before_are_linked(reports: Path) -> None:
    """The newest run counts; earlier ones stand beside it; every link leads to a run."""
    lines = lines_of(write_index(reports, list(sections().values()), [BREAKER, STORM]).read_text("utf-8"))
    body = lines["7.6.1.3"]
    assert re.findall(r'class="(pass|fail|unknown|not-judged)" href', body) == ["not-judged", "unknown", "pass"]
    hrefs = set(re.findall(r'href="([^"]+)"', body))
    assert hrefs == {f"circuit-breaker/2026-01-0{k}/" for k in (1, 2, 3)}
    assert "not run yet" in lines["7.6.1"]
    assert "make scenario NAME=retry-storm" in lines["7.6.1"]


def test_titles_are_escaped_and_code_is_set_as_code(reports: Path) -> None:
    """A title with markup is shown as it is; the handbook's backticks become code."""
    html = write_index(reports, list(sections().values()), [BREAKER, STORM]).read_text("utf-8")
    assert "Retry &lt;b&gt;storm&lt;/b&gt;" in html
    assert "<code>sync.Once</code>" in html
    assert "Shortest Path: Dijkstra&#39;s and A* algorithms" in html


def test_a_damaged_record_does_not_stop_the_index(reports: Path, tmp_path: Path) -> None:
    """A run that cannot be read is listed as such."""
    folder = tmp_path / "circuit-breaker" / "2026-01-09"
    folder.mkdir(parents=True)
    (folder / "record.json").write_text("{")
    page = write_index(tmp_path, list(sections().values()), [BREAKER])
    assert "its record cannot be read" in page.read_text("utf-8")


def test_the_index_of_nothing_is_still_a_page(tmp_path: Path) -> None:
    """Before the first run, and before the first experiment."""
    page = write_index(tmp_path / "reports", [Section("1", "One"), Section("1.1", "One one")], [])
    assert "no experiment" in page.read_text("utf-8")


def test_a_report_links_back_to_the_index(report_of: Callable[[str], Reported]) -> None:
    """From a run's folder the index is two folders up."""
    assert 'href="../../index.html"' in report_of("pass").html
