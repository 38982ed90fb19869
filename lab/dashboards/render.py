"""All dashboards as JSON, the same for the same scenarios: a line for each panel, without Grafana's defaults."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from grafana_foundation_sdk.builders import annotationslist, heatmap, stat, statetimeline
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from lab.dashboards import experiment, overview
from lab.record import Spec

SCHEMA = 39  # of Grafana 11, which newer ones read and bring up to their own; the builders write that of the newest
# What the builders write and Grafana takes for granted, by name; a key with another value stays.
ASSUMED: Mapping[str, object] = {
    "transparent": False, "repeatDirection": "h", "description": "", "overrides": [], "links": [], "instant": False,
    "includeVars": False, "keepTime": False, "asDropdown": False, "targetBlank": False,
    "auto": False, "auto_count": 30, "auto_min": "10s", "skipUrlSync": False, "allowCustomValue": True, "builtIn": 0,
    "custom": {}, "exponent": 0, "fill": "", "tooltip": "",
    "fiscalYearStartMonth": 0, "hidden": False, "calcs": [], "includeAll": False, "multi": False,
    "inspect": False, "align": "auto", "frameIndex": 0, "showTypeIcons": False, "cellHeight": "sm", "showHeader": True,
    "footer": {"countRows": False, "reducer": [], "show": False}, "perPage": 20, "alignValue": "left",
}  # fmt: skip
# Grafana says where the links stand; the builders hide them in a menu, without it they stand in the head of the page.
LEFT_OUT = frozenset({"placement"})
# Options with which a panel is born, here as in Grafana; of the others, builder and Grafana have different ones.
BORN: Mapping[str, Callable[[], Builder[Any]]] = {
    "stat": stat.Panel,
    "heatmap": heatmap.Panel,
    "state-timeline": statetimeline.Panel,
    "annolist": annotationslist.Panel,
}
DIFFERENT = ("legend", "tooltip", "reduceOptions")
LINK = ("title", "url", "targetBlank")  # what a link of a panel has; the builders write one of a dashboard


def rendered(specs: Sequence[Spec]) -> Mapping[str, str]:
    """File name to text, as Grafana's file provisioning takes it."""
    built = {"overview.json": overview.build(specs)}
    built |= {f"{spec.name}.json": experiment.build(spec) for spec in specs}
    return {name: _json(dashboard.build()) for name, dashboard in built.items()}


def _json(dashboard: object) -> str:
    plain = json.loads(JSONEncoder(sort_keys=True).encode(dashboard))
    plain["schemaVersion"] = SCHEMA
    panels = [inner for panel in plain["panels"] for inner in (panel, *panel.get("panels", ()))]
    for number, panel in enumerate(panels, start=1):
        panel["id"] = number  # links to a panel and annotations on it need one, and provisioning gives none
        panel["links"] = [{name: link[name] for name in LINK} for link in panel.get("links", ())]
        if panel["type"] in BORN:
            panel["options"] = _chosen(panel["options"], _born_with(panel["type"]))
    return "{\n" + ",\n".join(_fields(_short(plain))) + "\n}\n"


@cache
def _born_with(kind: str) -> Mapping[str, Any]:
    """The options of a panel that was told nothing."""
    options = json.loads(JSONEncoder().encode(BORN[kind]().build()))["options"]
    return {name: value for name, value in options.items() if name not in DIFFERENT}


def _chosen(options: Mapping[str, Any], born: Mapping[str, Any]) -> dict[str, Any]:
    """Without the options that have the value they are born with."""
    return {
        name: _chosen(value, born[name]) if isinstance(value, dict) and isinstance(born.get(name), dict) else value
        for name, value in options.items()
        if name not in born or born[name] != value
    }


def _short(node: Any) -> Any:
    """Without what Grafana assumes anyway, and without what is empty for that."""
    if isinstance(node, list):
        return [_short(each) for each in node]
    if not isinstance(node, dict):
        return node
    kept = {name: value for name, value in node.items() if name not in LEFT_OUT and not _assumed(name, value)}
    kept = {name: _short(value) for name, value in kept.items()}
    return {name: value for name, value in kept.items() if not _assumed(name, value)}


def _assumed(name: str, value: object) -> bool:
    return name in ASSUMED and ASSUMED[name] == value and type(ASSUMED[name]) is type(value)


def _fields(whole: Mapping[str, Any]) -> Iterator[str]:
    """A line for each panel, link, variable and layer, and one for all that is short."""
    for name in ("annotations", "templating"):
        yield f' "{name}": {{"list": {_lines(whole[name]["list"])}}}'
    for name in ("links", "panels"):
        yield f' "{name}": {_lines(whole[name])}'
    rest = {
        name: value for name, value in whole.items() if name not in ("annotations", "templating", "links", "panels")
    }
    yield f" {_line(rest)[1:-1]}"


def _lines(each: Sequence[Any]) -> str:
    return "[\n" + ",\n".join(f"  {_line(one)}" for one in each) + "\n ]"


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
