from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fabricate import Recipe, fabricate
from reported import Reported

from lab.catalogue.handbook import Section, sections
from lab.record import Turned, write_record
from lab.report import Entry, Step, write_index

pytestmark = pytest.mark.e2e

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


def index_of(reports: Path) -> Path:
    """The index of two experiments, with a text and a path."""
    texts = {"7.6.1.3": ["It stops `calling`.", "Source: [a](https://b.test)."]}
    path = [Step("circuit-breaker", "it builds on *nothing*"), Step("gone", "not there")]
    return write_index(reports, list(sections().values()), [BREAKER, STORM], texts, path)


def lines_of(html: str) -> dict[str, str]:
    """Body of every section that has experiments, by its number."""
    bodies = re.split(r'<div class="entry ', html)[1:]
    found = {}
    for body in bodies:
        number = re.search(r' id="s([0-9.]+)"', body)
        assert number is not None
        found[number[1]] = body
    return found


def test_every_numbered_section_is_there(reports: Path) -> None:
    """Sections with experiments stand open, those without are folded in their chapter, or its one line."""
    html = index_of(reports).read_text("utf-8")
    assert list(lines_of(html)) == ["7.6.1", "7.6.1.3", "8.5.5"]
    folded = set(re.findall(r'<li data-entry><span class="no">([0-9.]+)</span>', html))
    chapters = {number for number in sections() if "." not in number}
    inside = {number for number in sections() if number.split(".")[0] in ("7", "8")} - chapters
    assert folded == inside - set(lines_of(html))
    assert chapters == set(re.findall(r'<h2 id="s([0-9]+)"', html))
    assert html.count('<span class="also">no experiment</span>') == len(chapters) - 2
    assert "2 experiments for 3 of 292 numbered sections" in " ".join(re.sub(r"<[^>]+>", "", html).split())


def test_an_experiment_stands_once_and_is_linked_elsewhere(reports: Path) -> None:
    """Under its main section; the others lead there."""
    html = index_of(reports).read_text("utf-8")
    assert html.count("Does the exchange stay quick?") == 1
    assert "Does the exchange stay quick?" in lines_of(html)["7.6.1.3"]
    assert 'also <a href="#x-circuit-breaker">circuit-breaker</a>' in lines_of(html)["8.5.5"]


def test_a_section_shows_its_text_and_the_path_its_steps(reports: Path) -> None:
    """Text as inline Markdown, without links; of the path only what is there."""
    html = index_of(reports).read_text("utf-8")
    assert "<p>It stops <code>calling</code>.</p><p>Source: [a](https://b.test).</p>" in lines_of(html)["7.6.1.3"]
    assert '<li><a href="#x-circuit-breaker">Circuit breaker</a>: it builds on <em>nothing</em></li></ol>' in html


def test_a_quick_look_is_no_verdict(tmp_path: Path) -> None:
    """A shortened run stands among those before, and the experiment is not run yet."""
    run = fabricate(tmp_path, Recipe(phases_s=(2, 3, 3), per_s=10, run="2026-01-01"))
    write_record(run.path, replace(run.record, scale=0.5))
    body = lines_of(index_of(tmp_path).read_text("utf-8"))["7.6.1.3"]
    assert "not run yet" in body
    assert ", at scale 0.5, " in body


def test_a_turned_knob_is_no_verdict(tmp_path: Path) -> None:
    """However many there are since, the catalogue's own last run counts; the newest is linked beside it."""
    small = Recipe(phases_s=(2, 3, 3), per_s=10)
    fabricate(tmp_path, replace(small, run="2026-01-01", fault_missing=True))
    turned = fabricate(tmp_path, replace(small, run="2026-02-01"))
    for day in range(1, 15):
        folder = tmp_path / "circuit-breaker" / f"2026-02-{day:02}"
        write_record(folder, replace(turned.record, run=folder.name, turned=[Turned("load.per_s", "9")]))
    body = lines_of(index_of(tmp_path).read_text("utf-8"))["7.6.1.3"]
    assert '<div class="last"><a href="circuit-breaker/2026-01-01/"><span class="badge unknown"' in body
    assert "The last run does not count for the catalogue:" in body
    assert 'href="circuit-breaker/2026-02-14/"' in body
    assert ", with load.per_s=9, " in body


def test_the_last_verdict_and_those_before_are_linked(reports: Path) -> None:
    """The newest run counts; earlier ones stand beside it; every link leads to a run."""
    lines = lines_of(index_of(reports).read_text("utf-8"))
    body = lines["7.6.1.3"]
    assert re.findall(r'class="(pass|fail|unknown|not-judged)" href', body) == ["not-judged", "unknown", "pass"]
    hrefs = set(re.findall(r'href="([^"]+)"', body))
    assert hrefs == {f"circuit-breaker/2026-01-0{k}/" for k in (1, 2, 3)}
    assert "not run yet" in lines["7.6.1"]
    assert "make scenario NAME=retry-storm" in lines["7.6.1"]


def test_titles_are_escaped_and_code_is_set_as_code(tmp_path: Path) -> None:
    """A title with markup is shown as it is; the handbook's backticks become code."""
    handbook = [Section("1", "One"), Section("1.1", "`sync.Once` & A\\* in Dijkstra's")]
    storm = replace(STORM, sections=["1.1"])
    html = write_index(tmp_path, handbook, [storm], {}, []).read_text("utf-8")
    assert "Retry &lt;b&gt;storm&lt;/b&gt;" in html
    assert "<code>sync.Once</code> &amp; A* in Dijkstra&#39;s" in html


def test_a_damaged_record_does_not_stop_the_index(reports: Path, tmp_path: Path) -> None:
    """A run that cannot be read is listed as such."""
    folder = tmp_path / "circuit-breaker" / "2026-01-09"
    folder.mkdir(parents=True)
    (folder / "record.json").write_text("{")
    page = index_of(tmp_path)
    assert "its record cannot be read" in page.read_text("utf-8")


def test_the_index_of_nothing_is_still_a_page(tmp_path: Path) -> None:
    """Before the first run, and before the first experiment."""
    page = write_index(tmp_path / "reports", [Section("1", "One"), Section("1.1", "One one")], [], {}, [])
    assert "no experiment" in page.read_text("utf-8")


def test_a_report_links_back_to_the_index(report_of: Callable[[str], Reported]) -> None:
    """From a run's folder the index is two folders up; each section that the experiment serves is linked there."""
    html = report_of("pass").html
    assert 'href="../../index.html"' in html
    for number in report_of("pass").run.record.spec.sections:
        assert f'<a href="../../index.html#s{number}">{number} ' in html
