from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from reported import Reported

from lab.record import PanelSpec, Run
from lab.report.charts import latency, naive, panels, render, theme
from lab.report.charts.render import Chart, Drawn, draw
from lab.report.page import parts
from lab.report.view import View

pytestmark = pytest.mark.e2e

ReportOf = Callable[[str], Reported]
ViewOf = Callable[[str], View]
DrawnOf = Callable[[str], dict[str, Drawn]]


def charts(view: View) -> dict[str, Chart]:
    """The charts of a run by name, not drawn."""
    return {chart.name: chart for part in parts(view) for chart in part.charts}


def scales(chart: Chart, channel: str) -> list[Any]:
    """Domains of a channel in every layer that has one."""
    spec = chart.definition.to_dict(validate=False)
    found: list[Any] = []

    def walk(layer: dict[str, Any]) -> None:
        scale = layer.get("encoding", {}).get(channel, {}).get("scale")
        if scale:
            found.append(scale["domain"])
        for inner in layer.get("layer", []):
            walk(inner)

    walk(spec)
    return found


@pytest.mark.parametrize("name", ["pass", "unknown"])
def test_every_chart_is_a_valid_definition(view_of: ViewOf, name: str) -> None:
    """What is drawn without validation in a run is valid Vega-Lite."""
    from altair.utils import schemapi

    with schemapi.debug_mode(True):
        for chart in charts(view_of(name)).values():
            chart.definition.to_dict(validate=True)


def test_variants_share_their_axes(view_of: ViewOf) -> None:
    """Charts side by side have the same seconds and the same values, so that they can be compared."""
    found = charts(view_of("pass"))
    for kind in ("outcomes", "latency", "panel-1", "panel-2", "canary-1"):
        off, on = found[f"{kind}-off"], found[f"{kind}-on"]
        for channel in ("x", "y"):
            domains = scales(off, channel) + scales(on, channel)
            assert domains, (kind, channel)
            assert all(domain == domains[0] for domain in domains), (kind, channel)


def test_every_fault_window_is_shaded_and_labelled(report_of: ReportOf) -> None:
    """Each chart over time shades the fault and names it; a fault not in force has no shade and says so."""
    for name, label, shaded in (("pass", "payments silent", True), ("unknown", "asked, not in force", False)):
        over_time = [f for f in (report_of(name).run.path / "charts").glob("*.svg") if f.stem != "naive"]
        assert len(over_time) == (10 if name == "pass" else 8)
        for file in over_time:
            assert label in file.read_text("utf-8"), file
            assert ("url(#hatch-fault)" in file.read_text("utf-8")) is shaded, file


def test_charts_name_colours_and_never_hold_them(drawn_of: DrawnOf, report_of: ReportOf) -> None:
    """Colours are CSS variables in the page and in the live specifications; files hold the light ones."""
    for drawn in drawn_of("pass").values():
        assert not re.search(r"#[0-9a-f]{3,8}\b|rgb\(", drawn.svg.replace("url(#hatch", "")), drawn.chart.name
        assert set(re.findall(r"var\(--([a-z0-9-]+)\)", drawn.svg)) <= set(theme.PALETTE)
    for file in (report_of("pass").run.path / "charts").glob("*.svg"):
        svg = file.read_text("utf-8")
        ET.fromstring(svg)
        assert "var(" not in svg
        assert theme.PALETTE["ok"][0] in svg or "outcomes" not in file.name


def test_light_and_dark_have_the_same_names() -> None:
    """Each colour has a light and a dark value, and dark comes by choice, by the system, and never on paper."""
    css = theme.css_variables()
    for name, (light, dark) in theme.PALETTE.items():
        assert f"--{name}:{light}" in css
        assert css.count(f"--{name}:{dark}") >= 2
    assert "@media screen and (prefers-color-scheme:dark)" in css


def contrast(one: str, other: str) -> float:
    """WCAG 2 contrast ratio of two colours."""

    def luminance(colour: str) -> float:
        parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("side", [0, 1], ids=["light", "dark"])
def test_colours_have_the_contrast_that_readers_need(side: int) -> None:
    """Text stands out 4.5 to 1 from its ground, lines and areas of charts 3 to 1 from the paper."""
    palette = {name: colours[side] for name, colours in theme.PALETTE.items()}
    for name in ("ink", "muted", "link", "fault", "pass-ink", "fail-ink", "unknown-ink"):
        assert contrast(palette[name], palette["paper"]) >= 4.5, name
    for name in ("pass", "fail", "unknown"):
        assert contrast(palette[f"{name}-ink"], palette[f"{name}-wash"]) >= 4.5, name
    for name in ("grew", "shrank", "flat"):
        assert contrast(palette["diff-ink"], palette[name]) >= 4.5, name
    for name in ("ok", "fail", "fault", *(f"series-{k}" for k in range(1, 7))):
        assert contrast(palette[name], palette["paper"]) >= 3, name


def test_shades_cover_every_count_once() -> None:
    """Six shades, their limits rising, from one request to the fullest cell."""
    for peak in (1, 2, 6, 7, 50, 500, 12_345):
        steps = latency.shades(peak)
        assert len(steps) == len(theme.HEAT) - 1
        assert steps[0] >= 2
        assert all(b > a for a, b in pairwise(steps))


def test_a_state_panel_names_its_states(view_of: ViewOf) -> None:
    """Numbers that stand for states are labelled with the states' names, quotes and all."""
    view = view_of("pass")
    panel = PanelSpec("State", "x", "short", "", {0: "it's shut", 1: "open"})
    samples = {v: {"payments": [(0.0, 0.0), (1.0, 1.0)]} for v in view.variants}
    drawn = render.draw(panels.charts(view, 9, panel, samples, ["payments"], exact=False))["panel-9-off"]
    assert ">it's shut<" in drawn.svg
    assert "between it's shut and open" in drawn.chart.alt_text


def test_a_line_has_a_gap_where_samples_are_missing() -> None:
    """Whoever was killed while it led does not seem to lead until it is back, nor does a count seem to grow."""
    seen = [(1.0, 0.0), (2.0, 1.0), (3.0, 1.0), (9.0, 0.0), (10.1, 0.0), (11.0, 0.0)]
    assert panels.with_gaps(seen) == [*seen[:3], (4.0, None), *seen[3:]]
    assert panels.with_gaps(seen[:1]) == seen[:1]
    assert panels.with_gaps(()) == []


def test_a_panel_without_samples_in_one_variant_says_so(drawn_of: DrawnOf) -> None:
    """An empty chart beside a full one is labelled, not left to be wondered about."""
    drawn = drawn_of("pass")
    assert "no samples" in drawn["panel-1-off"].svg
    assert "no samples" not in drawn["panel-1-on"].svg


def test_the_still_drawing_has_no_invisible_marks(drawn_of: DrawnOf) -> None:
    """What only carries tooltips is in the live specification alone."""
    drawn = drawn_of("pass")["outcomes-off"]
    assert 'opacity="0"' not in drawn.svg
    assert "arrivals of 0 to 1 s" in drawn.vega
    assert "arrivals of 0 to 1 s" not in drawn.svg


@pytest.mark.parametrize(("variant", "phase"), [("off", "baseline"), ("postgres-read-uncommitted", "script")])
def test_row_labels_have_room_in_a_wide_font_too(variant: str, phase: str) -> None:
    """The page's font may be wider than the one that the chart is laid out with: nothing is cut off at the left."""
    svg = draw([naive.chart([naive.Pair(variant, phase, 10, 20)])])["naive"].svg
    left_px = float(re.search(r"translate\(([\d.]+),", svg)[1])  # type: ignore[index]
    lines = re.findall(r">([^<>]+)</t", svg)
    wide = max(len(line) for line in lines if variant in line)
    assert left_px >= 6 + 6.4 * wide, "6.4 px a character: DejaVu Sans, one of the widest, takes 6 at this size"
    assert phase in lines or f"{variant} · {phase}" in lines


def test_the_chart_runtime_is_made_once_and_kept(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bundle is built on first use and then read from the cache; one that cannot be written is no error."""
    monkeypatch.setattr(render, "HOME", tmp_path)
    built = []
    monkeypatch.setattr(render, "_bundle", lambda version: built.append(version) or f"bundle {version}")
    assert render.runtime() == render.runtime()
    assert len(built) == 1
    assert [file.suffix for file in (tmp_path / "cache").iterdir()] == [".js"]
    monkeypatch.setattr(render, "HOME", tmp_path / "cache" / "not-a-folder" / "x")
    (tmp_path / "cache" / "not-a-folder").write_text("")
    assert render.runtime().startswith("bundle")
    assert len(built) == 2


def test_the_bundle_sets_view_and_parse(monkeypatch: pytest.MonkeyPatch) -> None:
    """The runtime exports what the page's script calls, also where vl-convert cannot resolve Vega by name."""
    import vl_convert as vlc

    assert re.search(r"window\.vega=\{View:\S+?,parse:\S+?\}", render.runtime())
    whole = []

    def old(snippet: str) -> str:
        if "import" in snippet:
            raise ValueError("no such module")
        whole.append(snippet)
        return "whole"

    monkeypatch.setattr(vlc, "javascript_bundle", old)
    assert render._bundle("6") == "whole"
    assert whole == ["window.vega = vegaEmbed.vega;"]


def test_specifications_hold_bins_and_not_operations(drawn_of: DrawnOf, view_of: ViewOf) -> None:
    """The data of a chart is aggregated: far fewer rows than operations."""
    operations = len(view_of("pass").run.operations("off"))
    for drawn in drawn_of("pass").values():
        rows = sum(len(d.get("values", [])) for d in json.loads(drawn.vega)["data"])
        assert rows < operations / 2, drawn.chart.name


def test_chart_names_may_stand_in_file_names() -> None:
    """A variant may be called anything; its charts get plain names."""
    assert render.slug("outcomes", "R=W=2 / été") == "outcomes-R-W-2-t"
    assert render.slug("panel", "1", "→") == "panel-1-x"


def test_recipes_cover_every_verdict(run_of: Callable[[str], Run]) -> None:
    """The fabricated runs pass, fail and are unknown."""
    judgements = [run_of(name).record.judgement for name in ("pass", "nasty", "unknown")]
    assert [judged.verdict for judged in judgements if judged] == ["PASS", "FAIL", "UNKNOWN"]
