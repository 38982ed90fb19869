"""Reports in a real browser: nothing is asked for, nothing goes wrong, and everybody can read them."""

from __future__ import annotations

import math
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "report"))

from fabricate import Recipe, fabricate
from test_report_matrix import PUBLISHED, run_with

from lab.catalogue.handbook import sections
from lab.record import Turned, read_run
from lab.report import Entry, write_index, write_report
from lab.report.compare import write_comparison
from lab.report.sweep import Swept, write_sweep

pytestmark = [pytest.mark.e2e, pytest.mark.untraced]

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
NASTY = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
BREAKER = Entry("circuit-breaker", "Circuit breaker", "Does the exchange stay quick?", ["7.6.1.3", "8.5.5"])
SIZES = [(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")]


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A passed, a failed and a hostile run with their reports, and the index."""
    folder = tmp_path_factory.mktemp("reports")
    for name, recipe in (
        ("1-passed", Recipe(panels=3)),
        ("2-failed", Recipe(phases_s=(4, 7, 7), breaker_ignored=True, charged_twice=True, trials=3, per_s=25)),
        ("3-hostile", Recipe(phases_s=(4, 7, 7), nasty=NASTY, charged_twice=True)),
        ("4-interrupted", Recipe(phases_s=(4, 7, 7), ends_in=("on", 1))),
    ):
        write_report(fabricate(folder, Recipe(**{**vars(recipe), "run": name})))
    write_index(folder, list(sections().values()), [BREAKER], {"7.6.1.3": ["It stops calling."]}, [])
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium."""
    if CHROMIUM is None:
        pytest.skip("no Chromium here: `apt-get install chromium` or `brew install chromium`")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield found
        found.close()


@dataclass
class Opened:
    """A page, and what it asked for and complained of."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def scroll_through(self) -> None:
        """Unfold all, and bring each chart on the screen until it is live."""
        self.page.evaluate("document.querySelectorAll('details:not(.jump)').forEach(d => { d.open = true })")
        for figure in self.page.locator("figure[data-chart]").all():
            figure.scroll_into_view_if_needed()
            figure.locator(".live:not(.drawing)").wait_for()


def opened(browser: Browser, file: Path, width: int = 1440, theme: str = "light") -> Opened:
    """Open a file as a reader would, by double click."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=theme)  # type: ignore[arg-type]
    found = Opened(page)
    page.on("request", lambda request: found.requests.append(request.url))
    page.on("console", lambda message: found.complaints.append(message.text))
    page.on("pageerror", lambda error: found.complaints.append(str(error)))
    page.goto(file.as_uri())
    return found


def run_page(reports: Path, name: str) -> Path:
    """The page of a run."""
    return reports / "circuit-breaker" / name / "index.html"


@pytest.mark.parametrize("name", ["1-passed", "2-failed", "3-hostile", "4-interrupted"])
def test_no_request_leaves_the_page_and_no_error_is_logged(browser: Browser, reports: Path, name: str) -> None:
    """With every chart live, the only thing ever loaded is the page itself, and the console is silent."""
    file = run_page(reports, name)
    found = opened(browser, file)
    found.scroll_through()
    assert [url for url in found.requests if not url.startswith("data:")] == [file.as_uri()]
    assert found.complaints == []
    assert found.page.title().startswith(("PASS: Circuit breaker", "FAIL: Circuit breaker", "UNKNOWN: Circuit"))
    assert found.page.locator("figure .live svg").count() == found.page.locator("figure[data-chart]").count() >= 7
    found.page.close()


@pytest.mark.by_turns(each=3)
@pytest.mark.parametrize(("width", "theme"), SIZES)
@pytest.mark.parametrize("name", ["1-passed", "2-failed"])
def test_axe_finds_no_violation(browser: Browser, reports: Path, name: str, width: int, theme: str) -> None:
    """Contrast, names, roles and order are right, wide and narrow, light and dark, with everything unfolded."""
    found = opened(browser, run_page(reports, name), width, theme)
    found.scroll_through()
    found.page.evaluate("document.querySelectorAll('details:not(.jump)').forEach(d => { d.open = true })")
    result = Axe().run(found.page)
    assert result.violations_count == 0, result.generate_report()
    found.page.close()


@pytest.mark.parametrize(("width", "theme"), SIZES)
def test_the_index_is_accessible_and_silent(browser: Browser, reports: Path, width: int, theme: str) -> None:
    """The handbook's contents pass the same examination."""
    found = opened(browser, reports / "index.html", width, theme)
    result = Axe().run(found.page)
    assert result.violations_count == 0, result.generate_report()
    assert found.complaints == []
    assert [url for url in found.requests if not url.startswith("data:")] == [(reports / "index.html").as_uri()]
    assert found.page.evaluate("document.documentElement.scrollWidth") <= width
    found.page.close()


@pytest.fixture(scope="module")
def side_by_side(reports: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A comparison of the runs that passed and failed, and a sweep of three values with both as points."""
    passed, failed = (read_run(run_page(reports, name).parent) for name in ("1-passed", "2-failed"))
    points = []
    for value, run in (("2", passed), ("5", passed), ("10", failed)):
        turned = [Turned("on:exchange.BREAKER_OPEN_S", value, "5")]
        points.append((value, replace(run, record=replace(run.record, turned=turned, lent={"off": "first"}))))
    swept = Swept("on:exchange.BREAKER_OPEN_S", ["2", "5", "10"], points, "make sweep NAME=circuit-breaker")
    folder = tmp_path_factory.mktemp("sweep")
    return {"compare": write_comparison([passed, failed], reports), "sweep": write_sweep(folder, swept)}


@pytest.mark.parametrize(("width", "theme"), SIZES)
@pytest.mark.parametrize("name", ["compare", "sweep"])
def test_what_sets_runs_side_by_side_is_accessible_and_silent(
    browser: Browser, side_by_side: dict[str, Path], name: str, width: int, theme: str
) -> None:
    """Comparisons and sweeps pass the same examination, and are as wide as the screen."""
    found = opened(browser, side_by_side[name], width, theme)
    found.scroll_through()
    result = Axe().run(found.page)
    assert result.violations_count == 0, result.generate_report()
    assert found.complaints == []
    assert [url for url in found.requests if not url.startswith("data:")] == [side_by_side[name].as_uri()]
    assert found.page.evaluate("document.documentElement.scrollWidth") <= width
    found.page.close()


@pytest.mark.parametrize("width", [1280, 1440])
def test_a_matrix_of_ten_columns_is_seen_whole(browser: Browser, tmp_path: Path, width: int) -> None:
    """Nobody has to scroll it sideways on a laptop."""
    run = run_with(tmp_path, *((variant, column, "yes") for variant in ("off", "on") for column in PUBLISHED))
    found = opened(browser, write_report(run, []), width)
    assert found.page.locator("#matrix .matrix").first.locator("thead th").count() == 1 + 10
    wide, seen = found.page.evaluate("(e => [e.scrollWidth, e.clientWidth])(document.querySelector('#matrix .scroll'))")
    assert wide <= seen
    found.page.close()


@pytest.mark.parametrize("name", ["1-passed", "2-failed", "3-hostile"])
@pytest.mark.parametrize("width", [390, 768, 1440])
def test_nothing_scrolls_sideways(browser: Browser, reports: Path, name: str, width: int) -> None:
    """The page is as wide as the screen, also with everything unfolded."""
    found = opened(browser, run_page(reports, name), width)
    found.scroll_through()
    found.page.evaluate("document.querySelectorAll('details:not(.jump)').forEach(d => { d.open = true })")
    assert found.page.evaluate("document.documentElement.scrollWidth") <= width
    found.page.close()


def test_what_was_not_reached_is_said(browser: Browser, reports: Path) -> None:
    """A run that was cut short shows what there is and names what there is not."""
    found = opened(browser, run_page(reports, "4-interrupted"))
    assert found.page.get_by_text("not reached", exact=True).count() == 1
    assert found.page.get_by_text("1 of 2 episodes completed").count() >= 1
    found.page.close()


def test_the_switch_recolours_the_charts_too(browser: Browser, reports: Path) -> None:
    """One click turns light into dark, charts included, and the next page remembers."""
    found = opened(browser, run_page(reports, "1-passed"))
    found.scroll_through()
    bar = found.page.locator("figure[data-chart=outcomes-off] .live svg text").first
    before = (bar.evaluate("e => getComputedStyle(e).fill"), found.page.evaluate(BACKGROUND))
    found.page.get_by_role("button", name="Switch between light and dark").click()
    after = (bar.evaluate("e => getComputedStyle(e).fill"), found.page.evaluate(BACKGROUND))
    assert before[0] != after[0]
    assert before[1] == "rgb(255, 255, 255)" != after[1]
    found.page.reload()
    assert found.page.evaluate(BACKGROUND) == after[1]
    found.page.close()


BACKGROUND = "getComputedStyle(document.body).backgroundColor"


def test_without_scripts_the_charts_are_there(browser: Browser, reports: Path) -> None:
    """A reader whose mail program or build server blocks scripts still sees every chart and table."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(run_page(reports, "1-passed").as_uri())
    assert page.locator("figure .still svg").count() == page.locator("figure[data-chart]").count() >= 7
    assert page.get_by_text("5 of 5").count() + page.get_by_text("4 of 4 claims held").count() > 0
    context.close()


def test_pointing_at_a_chart_tells_the_numbers_and_marks_the_moment(browser: Browser, reports: Path) -> None:
    """A tooltip has the counts of that second; the same moment is marked in every chart over time."""
    found = opened(browser, run_page(reports, "1-passed"))
    found.scroll_through()
    figure = found.page.locator("figure[data-chart=outcomes-on]")
    figure.scroll_into_view_if_needed()
    box = figure.locator(".live svg").bounding_box()
    assert box is not None
    found.page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.6)
    found.page.wait_for_function("!document.querySelector('.tip').hidden")
    assert "arrivals of" in found.page.locator(".tip").inner_text()
    assert found.page.locator(".cursor:not([hidden])").count() == found.page.locator("figure.timeline").count()
    found.page.mouse.move(2, 2)
    found.page.wait_for_function("document.querySelectorAll('.cursor:not([hidden])').length === 0")
    found.page.close()


def test_the_flame_graph_is_searched_zoomed_and_walked(browser: Browser, reports: Path) -> None:
    """Search tells the share of samples, a click zooms, keys move and zoom out again, views change what is shown."""
    found = opened(browser, run_page(reports, "1-passed"))
    page = found.page
    page.get_by_role("button", name="off", exact=True).click()
    page.get_by_role("searchbox", name="Search frames").fill("_do_timeout")
    assert "of samples" in page.locator(".flame-key .found").inner_text()
    assert page.locator(".frame.hit").count() == 1
    page.get_by_role("searchbox", name="Search frames").fill("no such frame")
    assert "no frame has" in page.locator(".flame-key .found").inner_text()
    page.get_by_role("searchbox", name="Search frames").fill("")

    everything = page.locator(".frame").count()
    page.locator(".frame", has_text="_request (aiohttp/client.py:620)").first.click()
    zoomed = page.locator(".frame").count()
    assert zoomed < everything
    assert page.locator(".frame").first.inner_text().startswith("_request")
    page.keyboard.press("ArrowDown")
    assert page.locator(".frame:focus").get_attribute("aria-level") == "2"
    page.keyboard.press("Escape")
    assert page.locator(".frame").count() == everything

    page.get_by_role("button", name="difference").click()
    assert "points" in (page.locator(".frame").nth(5).get_attribute("aria-label") or "")
    page.get_by_role("button", name="baseline").click()
    assert page.locator(".frame").count() > 3
    assert found.complaints == []
    page.close()


def test_the_index_finds_what_is_typed(browser: Browser, reports: Path) -> None:
    """Words narrow the contents down, and unfold sections without an experiment."""
    found = opened(browser, reports / "index.html")
    page = found.page
    page.get_by_label("Find").fill("circuit breaker")
    visible = page.locator("[data-entry]:visible")
    assert 1 <= visible.count() <= 3
    page.get_by_label("Find").fill("linearizability paxos")
    assert visible.count() == 0
    page.get_by_label("Find").fill("saga")
    assert visible.count() >= 1
    page.get_by_label("Find").fill("")
    assert visible.count() == 2
    assert found.complaints == []
    page.close()


def test_on_paper_everything_is_unfolded_and_light(browser: Browser, reports: Path, tmp_path: Path) -> None:
    """Printed from a dark screen, the page is light, details are open, and controls are gone."""
    found = opened(browser, run_page(reports, "1-passed"), theme="dark")
    found.scroll_through()
    pdf = tmp_path / "report.pdf"
    found.page.pdf(path=str(pdf), format="A4")
    assert pdf.stat().st_size > 50_000
    found.page.emulate_media(media="print", color_scheme="dark")
    assert found.page.evaluate(BACKGROUND) == "rgb(255, 255, 255)"
    assert found.page.locator(".controls").is_hidden()
    widths = found.page.evaluate(
        "[...document.querySelectorAll('figure svg')].map(s => [s.getBoundingClientRect().right, innerWidth])"
    )
    assert all(right <= limit for right, limit in widths)
    found.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert found.page.locator("details:not([open])").count() == 0
    found.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert found.page.locator("details:not([open])").count() > 0
    found.page.close()


def test_a_cell_of_the_heat_map_shows_its_operations(browser: Browser, reports: Path) -> None:
    """A click in the map shows the operations of that very cell, a choice in the lists below those of another."""
    found = opened(browser, run_page(reports, "1-passed"))
    found.scroll_through()
    page = found.page
    figure = page.locator("figure[data-chart=latency-off]")
    figure.scroll_into_view_if_needed()
    cell = figure.locator('.live svg path[fill^="var(--heat"]').last
    box = cell.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    drawn = cell.evaluate("e => e.__data__.datum")  # what Vega drew it of
    scale = page.evaluate("JSON.parse(document.getElementById('cells-data').textContent)")
    assert page.locator("[data-variant]").input_value() == "off"
    assert page.locator("[data-column]").input_value() == str(int(drawn["s"] // scale["width"])) != "0"
    assert page.locator("[data-row]").input_value() == str(round(math.log10(drawn["y"]) * scale["decade"]))
    assert "operation" in page.locator("[data-operations]").inner_text()
    page.locator("[data-variant]").select_option("on")
    assert page.locator("[data-operations] .waterfall li, [data-operations] .note").count() > 0
    assert found.complaints == []
    page.close()


def test_a_small_screen_has_its_contents_behind_a_button(browser: Browser, reports: Path) -> None:
    """They open over the page, lead to a section, and close by themselves; a wide screen has them beside the page."""
    found = opened(browser, run_page(reports, "1-passed"), 390)
    jump = found.page.locator(".jump")
    jump.locator("summary").click()
    jump.get_by_role("link", name="Receipts").click()
    assert found.page.url.endswith("#receipts")
    assert jump.get_attribute("open") is None
    found.page.set_viewport_size({"width": 1440, "height": 900})
    assert jump.is_hidden()
    assert found.page.locator(".toc").is_visible()
    found.page.close()
