"""The form of the JSON in dashboards/json: grid, schema, units, and nothing that is left over from the builders."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models

FILES = sorted((Path(__file__).resolve().parents[2] / "dashboards" / "json").glob("*.json"))
# Of @grafana/data's valueFormats, those that fit what the lab measures; a scenario that needs another adds it here.
UNITS = {
    "short", "none", "percentunit", "percent", "s", "ms", "bytes", "decbytes", "binBps", "Bps", "reqps", "ops", "rps",
    "wps", "cps", "mps", "dateTimeAsIso",
}  # fmt: skip


def panels(whole: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All panels, those within collapsed rows too."""
    return [inner for panel in whole["panels"] for inner in (panel, *panel.get("panels", []))]


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_panels_fill_the_grid_without_overlap(file: Path) -> None:
    """No two panels share a cell of the 24 columns, and no row of them leaves a hole."""
    taken: set[tuple[int, int]] = set()
    for panel in panels(json.loads(file.read_text("utf-8"))):
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not taken & cells, panel["title"]
        taken |= cells
    assert taken == {(x, y) for x in range(24) for y in range(1 + max(y for _, y in taken))}


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_the_schema_knows_every_field(file: Path) -> None:
    """The foundation SDK's schema reads the file, and what it writes again has all that the file has."""
    whole = json.loads(file.read_text("utf-8"))
    again = json.loads(JSONEncoder(sort_keys=True).encode(models.Dashboard.from_json(whole)))
    assert list(lost(whole, again)) == []
    spoilt = {
        **whole,
        "panels": [{**whole["panels"][0], "fieldConfg": {}}, *whole["panels"][1:]],
        "time": {"form": "now"},
    }
    again = json.loads(JSONEncoder(sort_keys=True).encode(models.Dashboard.from_json(spoilt)))
    assert list(lost(spoilt, again)) == ["/panels/0/fieldConfg", "/time/form"]


def lost(node: object, again: object, at: str = "") -> Iterator[str]:
    """Where a document has something that another one lacks."""
    if isinstance(node, dict):
        for name, value in node.items():
            if not isinstance(again, dict) or name not in again:
                yield f"{at}/{name}"
            else:
                yield from lost(value, again[name], f"{at}/{name}")
    elif isinstance(node, list):
        for k, (one, other) in enumerate(zip(node, again if isinstance(again, list) else [], strict=True)):
            yield from lost(one, other, f"{at}/{k}")
    elif node != again:
        yield f"{at}: {node!r} is {again!r}"


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_units_are_grafanas(file: Path) -> None:
    """A unit that Grafana does not know would stand behind each number as text."""
    for panel in panels(json.loads(file.read_text("utf-8"))):
        fields = panel.get("fieldConfig", {"defaults": {}, "overrides": []})
        units = [fields["defaults"].get("unit", "short")]
        units += [p["value"] for o in fields.get("overrides", ()) for p in o["properties"] if p["id"] == "unit"]
        assert set(units) <= UNITS, panel["title"]


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_what_the_builders_leave_behind_is_stripped(file: Path) -> None:
    """No option that a panel is born with, no field of a dashboard's link on a panel's, nothing that is empty."""
    whole = json.loads(file.read_text("utf-8"))
    for panel in panels(whole):
        assert {name for link in panel.get("links", ()) for name in link} <= {"title", "url", "targetBlank"}
        born = {
            "stat": {
                "colorMode",
                "justifyMode",
                "orientation",
                "percentChangeColorMode",
                "showPercentChange",
                "wideLayout",
            },
            "heatmap": {"calculate", "cellGap", "exemplars", "filterValues", "selectionMode", "showValue"},
            "state-timeline": {"mergeValues", "showValue", "alignValue", "perPage"},
            "annolist": {"navigateAfter", "navigateBefore", "navigateToPanel", "onlyFromThisDashboard", "showTime"},
            "table": {"cellHeight", "footer", "frameIndex", "showHeader", "showTypeIcons"},
        }.get(panel["type"], set())
        assert not born & set(panel.get("options", {})), panel["title"]
        assert panel.get("fieldConfig", {}).get("defaults", {}).get("custom") != {}
        assert not {"exponent", "fill"} & set(panel.get("options", {}).get("color", {}))
    assert all(link.get("tooltip") != "" for link in whole["links"])
