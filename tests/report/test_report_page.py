from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fabricate import LINK
from reported import NASTY, Reported

from lab.catalogue.handbook import sections
from lab.report.charts.render import Drawn
from lab.report.page import fitted, parts, policy
from lab.report.sections import ORDER, links
from lab.report.view import View

pytestmark = pytest.mark.e2e

ReportOf = Callable[[str], Reported]
VOID = {"meta", "link", "input", "br", "img"}
MAX_BYTES = 2_000_000
KINDS = ["pass", "unknown", "quick trials", "nasty"]


class Reader(HTMLParser):
    """Elements with their attributes, scripts, and the text outside of them; complains about what is not closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.scripts: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        elif not (self.open and self.open[-1] == "style"):
            self.text += data


@pytest.mark.parametrize("name", KINDS)
def test_every_element_is_closed(report_of: ReportOf, name: str) -> None:
    """A report is well-formed, whatever the run was like."""
    reader = Reader(report_of(name).html)
    assert reader.open == []
    ids = [attributes["id"] for _, attributes in reader.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", KINDS)
def test_nothing_in_the_page_asks_for_anything(report_of: ReportOf, name: str) -> None:
    """No element, style or script of ours names an address to load from; links lead to files beside the page."""
    html = report_of(name).html
    reader = Reader(html)
    for tag, attributes in reader.elements:
        for attribute in ("src", "srcset", "poster", "data", "action", "formaction", "background"):
            assert attribute not in attributes, f"<{tag} {attribute}>"
        if tag == "link":
            assert (attributes["href"] or "").startswith("data:")
        elif tag == "a":
            assert not re.match(r"[a-z]+:|//", attributes["href"] or ""), attributes
        assert not [key for key in attributes if key.startswith("on")]
    style = "".join(re.findall(r"<style>(.*?)</style>", html, re.S))
    assert not re.search(r"@import|url\((?!#)", style)
    ours = [script for script in reader.scripts if "vega" not in script[:400] and len(script) < 100_000]
    assert not any(re.search(r"\bfetch\(|XMLHttpRequest|WebSocket|import\(", script) for script in ours)


def test_the_policy_lets_only_the_pages_own_scripts_run(report_of: ReportOf) -> None:
    """The content security policy names each script by its hash and forbids every request."""
    html = report_of("pass").html
    given = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    assert given is not None
    assert given[1].startswith("default-src &#39;none&#39;")
    scripts = re.findall(r"<script>(.*?)</script>", html, re.S)
    assert len(scripts) == 6
    assert set(re.findall(r"sha256-[^&']+", given[1])) == set(re.findall(r"sha256-[^&']+", policy(scripts)))


@pytest.mark.parametrize("name", KINDS)
def test_a_report_stays_under_two_megabytes(report_of: ReportOf, name: str) -> None:
    """The whole page, with the chart runtime in it, is small enough to send by mail."""
    assert report_of(name).page.stat().st_size < MAX_BYTES


def test_charts_past_the_budget_stand_still_or_wait(drawn_of: Callable[[str], dict[str, Drawn]]) -> None:
    """Every chart is in the page, the first ones drawn and live, the last ones one of the two, within the size."""
    drawn = drawn_of("pass")
    everything = sum(len(d.svg) + len(d.vega) for d in drawn.values())
    for most_bytes in (everything, everything * 3 // 4, everything // 2):
        stills, specs = fitted(drawn, most_bytes)
        assert all(stills[name] or name in specs for name in drawn)
        assert sum(len(text) for text in [*stills.values(), *specs.values()]) <= most_bytes * 1.001
        first = next(iter(drawn))
        assert stills[first]
        assert first in specs
    assert all(fitted(drawn, everything)[0].values())
    assert len(fitted(drawn, everything)[1]) == len(drawn)


def test_sections_stand_in_the_agreed_order(report_of: ReportOf) -> None:
    """The verdict comes first, the data last, and the table of contents says the same.

    This run has something for every section but the matrix, whose place test_report_matrix.py looks at, and the trials,
    of which it has one.
    """
    html = report_of("nasty").html
    order = re.findall(r'<section id="([a-z]+)"', html)
    assert order == [name for name in ORDER if name not in ("matrix", "trials")]
    contents = re.findall(r'<li><a href="#([a-z]+)">', html)
    assert contents == [*order, *order], "in the head of a small screen, and beside the page of a large one"


def test_sections_without_data_say_nothing(report_of: ReportOf) -> None:
    """A run without anomalies has no section on anomalies."""
    assert "anomalies" not in re.findall(r'<section id="([a-z]+)"', report_of("pass").html)


@pytest.mark.parametrize(
    ("name", "verdict", "reason"),
    [
        ("pass", "PASS", "4 of 4 claims held, 2 of 2 invariants kept."),
        ("nasty", "FAIL", "took effect 2 times"),
        ("unknown", "UNKNOWN", "The fault was not in force"),
    ],
)
def test_the_verdict_stands_first_with_its_reasons(report_of: ReportOf, name: str, verdict: str, reason: str) -> None:
    """A reader who sees only the top of the page knows the verdict and why."""
    report = report_of(name)
    assert report.run.record.judgement is not None
    assert report.run.record.judgement.verdict == verdict
    text = Reader(report.html.split('<section id="idea"')[0]).text
    assert verdict in text
    assert reason in " ".join(text.split())


def test_every_text_of_the_run_is_escaped(report_of: ReportOf) -> None:
    """A script planted in each text, log line and profile stays text, in the page and in its drawings."""
    report = report_of("nasty")
    html = report.html
    reader = Reader(html)
    assert "<script>document.title" not in html
    assert "<script>document.title" in reader.text  # shown, as text
    executable = [a for tag, a in reader.elements if tag == "script" and a.get("type") != "application/json"]
    assert len(executable) == 6
    assert "<script" not in report.markdown
    for svg in (report.run.path / "charts").glob("*.svg"):
        assert "<script" not in svg.read_text("utf-8")


def test_nasty_names_reach_every_kind_of_section(report_of: ReportOf) -> None:
    """The planted text really is in claims, receipts, flame graphs, traces, anomalies and notes."""
    html = report_of("nasty").html
    escaped = "&lt;script&gt;document.title"
    for section in (
        "verdict",
        "idea",
        "predict",
        "claims",
        "receipts",
        "traces",
        "exercises",
        "machine",
        "panels",
        "events",
    ):
        body = html.split(f'<section id="{section}"')[1].split("</section>")[0]
        assert escaped in body, section
    assert "\\u003cscript>document.title" in html.split('id="flame-data">')[1].split("</script>")[0]
    assert NASTY not in html


def test_a_variant_that_was_not_reached_is_missed(view_of: Callable[[str], View]) -> None:
    """What was measured is drawn, and the top of the page says what there is nothing of."""
    data = {part.name: part.data for part in parts(view_of("first only"))}
    assert (data["variants"].variants, data["variants"].missing) == (["off"], ["on"])
    assert [chart.name for chart in data["variants"].charts] == ["outcomes-off", "latency-off"]
    assert "nothing of on" in data["verdict"].warnings[0]
    assert data["verdict"].reasons == ["the run is not complete: 0 of 2 episodes completed"]


def test_a_quick_look_is_called_one(report_of: ReportOf) -> None:
    """`--scale` shortens the phases, and the report warns of it and repeats with it."""
    html = report_of("quick trials").html
    assert "every phase was 0.3 times as long" in html
    assert "make scenario NAME=circuit-breaker SEED=7 TRIALS=3 SCALE=0.3" in html


def test_several_trials_are_told_apart(report_of: ReportOf) -> None:
    """Claims carry the interval over the trials, charts say which trial they draw, anomalies which they are of."""
    html = report_of("quick trials").html
    assert "3; charts draw trial 1" in html
    assert "75%, 3 trials" in html
    assert 'class="interval"' in html
    assert "<small>trial 3</small>" in html


def test_links_lead_to_files_that_are_there(report_of: ReportOf) -> None:
    """Every link to the run's own data names a file or folder that exists."""
    report = report_of("pass")
    body = report.html.split('<section id="links"')[1]
    hrefs = [href for href in re.findall(r'href="([^"]+)"', body) if not href.startswith(("..", "#"))]
    assert {"record.json", "operations.parquet", "junit.xml", "summary.md", "logs/", "profiles/"} <= set(hrefs)
    for href in hrefs:
        assert (report.run.path / href).exists(), href
    assert "../../retry-storm/latest/index.html" in body


def test_a_run_drawn_in_grafana_leads_to_its_dashboards(report_of: ReportOf) -> None:
    """One link for the whole run and one for each variant, at its time; none where no Grafana was in use."""
    run = report_of("pass").run
    assert not [n for n in links.build(View(run, sections())).neighbours if n.label == "in Grafana"]
    drawn = replace(run, record=replace(run.record, grafana="http://g:3000/x"))
    found = links.build(View(drawn, sections())).neighbours
    assert [(n.label, n.title) for n in found] == [("in Grafana", name) for name in ("the whole run", "off", "on")]
    t0_s = run.record.episodes[0].t0_epoch_s
    assert found[1].href == (
        f"http://g:3000/x/d/lab-circuit-breaker?from={(t0_s - 2) * 1000:.0f}&to={(t0_s + 39) * 1000:.0f}"
        f"&var-run={run.record.run}&var-variant=off"
    )
    last_s = max(each.t0_epoch_s for each in run.record.episodes) + 39
    assert f"from={(t0_s - 2) * 1000:.0f}&to={last_s * 1000:.0f}" in found[0].href
    assert found[0].href.endswith("&var-variant=%24__all")
    planted = replace(run, record=replace(run.record, grafana="javascript:alert(1)"))
    assert not [n for n in links.build(View(planted, sections())).neighbours if n.label == "in Grafana"]


def test_a_run_that_was_never_judged_says_so(report_of: ReportOf, tmp_path: Path) -> None:
    """Without a judgement there is a report all the same."""
    report = report_of("quick trials")
    bare = replace(report.run, record=replace(report.run.record, judgement=None))
    found = parts(View(bare, sections()))
    assert "claims" not in [part.name for part in found]
    assert found[0].data.verdict == "NOT JUDGED"


def test_the_link_is_named_with_an_arrow(report_of: ReportOf) -> None:
    """Names of links do not break at their arrow."""
    assert "Canary at exchange→payments" in report_of("pass").html
    assert LINK == "exchange->payments"
