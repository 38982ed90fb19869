"""Draws a chart: Altair to Vega once, Vega to SVG; and the Vega runtime that makes it live, from vl-convert."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version as version_of
from typing import Any

import altair as alt
import vl_convert as vlc

from lab.kit.places import HOME
from lab.report.charts.theme import CONFIG

WIDTH = 560  # of the SVG; the live chart is as wide as its column
# Attributes that only scripts and screen readers use; the figure around a chart speaks for it.
_CHATTER = re.compile(r' (?:aria-[a-z]+|role|pointer-events|class|xmlns:xlink|version)="[^"]*"')


@dataclass(frozen=True)
class Layers:
    """Altair charts over one another. Altair's own LayerChart copies each of them, data and all, at every step."""

    layers: Sequence[alt.Chart]

    def to_dict(self, validate: bool = True) -> dict[str, Any]:
        """The Vega-Lite specification, without size and configuration."""
        datasets: dict[str, Any] = {}
        below = {"top_level": False, "datasets": datasets}
        layers = [layer.to_dict(validate=validate, context=dict(below)) for layer in self.layers]
        return {"layer": layers, "datasets": datasets}


@dataclass(frozen=True)
class Chart:
    """A chart to be drawn. `alt_text` says what it shows to who cannot see it; `is_timeline`: x is seconds.

    `heat` is, of a heat map, the variant and the wait in ms above which no request was answered.
    """

    name: str
    title: str
    alt_text: str
    definition: Layers
    height: int
    is_timeline: bool = True
    heat: tuple[str, float] | None = None


@dataclass(frozen=True)
class Drawn:
    """A chart drawn: SVG with CSS variables for colours, and the Vega specification as JSON."""

    chart: Chart
    svg: str
    vega: str


def slug(*parts: str) -> str:
    """A name for a chart that may stand in a file name and in an id."""
    return "-".join(re.sub(r"[^A-Za-z0-9]+", "-", part).strip("-") or "x" for part in parts)


# vl-convert is only ever called from this one thread: called from two, it can hold its own lock in one while it waits
# for Python's in the other, and neither goes on. Meanwhile the caller's thread builds the next charts.
_V8 = ThreadPoolExecutor(max_workers=1, thread_name_prefix="vega")


def draw(charts: Iterable[Chart]) -> dict[str, Drawn]:
    """Draw all charts, by name."""
    drawn = [_V8.submit(_draw, chart, _vega_lite(chart)) for chart in charts]
    return {found.chart.name: found for found in (future.result() for future in drawn)}


def _vega_lite(chart: Chart) -> str:
    size = {"width": "container", "height": chart.height, "autosize": {"type": "fit-x", "contains": "padding"}}
    return json.dumps(chart.definition.to_dict(validate=False) | size | {"config": CONFIG})


def _draw(chart: Chart, vega_lite: str) -> Drawn:
    vega: dict[str, Any] = vlc.vegalite_to_vega(vega_lite)
    vega.pop("$schema", None)
    _hush(vega)
    svg = re.sub(_CHATTER, "", vlc.vega_to_svg(json.dumps(_still(vega))))
    return Drawn(chart, svg, json.dumps(vega, separators=(",", ":")))


def _hush(group: dict[str, Any]) -> None:
    """Take Vega's own descriptions out, mark by mark: the figure has one sentence that says more."""
    for part in [*group.get("marks", []), *group.get("axes", [])]:
        part["aria"] = False
        _hush(part)


def _still(vega: dict[str, Any]) -> dict[str, Any]:
    """The same drawing of one width, without the invisible marks that only carry tooltips."""
    signals = [
        {"name": "width", "value": WIDTH} if signal["name"] == "width" else signal for signal in vega.get("signals", [])
    ]
    marks = [mark for mark in vega["marks"] if mark.get("encode", {}).get("update", {}).get("opacity") != {"value": 0}]
    return {**vega, "signals": signals, "marks": marks}


def warm_up() -> None:
    """Start the JavaScript engine that compiles and draws, which takes half a second, while others work."""
    _V8.submit(vlc.vegalite_to_vega, {"mark": "point"})


def runtime() -> str:
    """The Vega runtime as JavaScript that sets `window.vega`; bundled once, then kept in `.lab/cache`."""
    version = vlc.get_vega_version()
    cache = HOME / "cache" / f"vega-{version}-{version_of('vl-convert-python')}.js"
    try:
        return cache.read_text("utf-8")
    except OSError:
        bundle = _V8.submit(_bundle, version).result()
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        draft = cache.with_suffix(f".{os.getpid()}")
        draft.write_text(bundle, "utf-8")
        draft.replace(cache)
    except OSError:
        pass  # a folder that cannot be written costs a second next time, nothing else
    return bundle


def _bundle(version: str) -> str:
    # Vega alone is two thirds of the default bundle; the specifications are compiled already. vl-convert's own
    # `vega` name is the module's default export, which is null, hence the import by name.
    try:
        return vlc.javascript_bundle(
            f'import {{View, parse}} from "/npm/vega@{version}/+esm"; window.vega = {{View, parse}};'
        )
    except ValueError:
        return vlc.javascript_bundle("window.vega = vegaEmbed.vega;")
