"""Prometheus panels: every series of one expression over the run, variants on the same axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import Literal

import altair as alt

from lab.record import PanelSpec
from lab.report.charts.render import Chart, slug
from lab.report.charts.theme import DASHES, SERIES
from lab.report.charts.timeline import amounts_axis, data, fixed, framed, plain_axis, seconds
from lab.report.numbers import number, panel_value
from lab.report.view import View

HEIGHT = 120
MAX_SERIES = len(SERIES)
UNITS = {"ms": " ms", "reqps": "/s", "ops": "/s", "cps": "/s", "percent": " %"}  # Grafana's names, as on an axis
GAP = 1.6  # of the usual time between samples: one scrape is missing
Samples = Mapping[str, Sequence[tuple[float, float]]]  # series -> (at_s, value)


def charts(
    view: View, number_of: int, panel: PanelSpec, samples: Mapping[str, Samples], names: Sequence[str], *, exact: bool
) -> list[Chart]:
    """One chart a variant; `names` are the series drawn, in the order of their colours.

    `exact`: samples are moments at which something changed, else they are scraped and some may be missing.
    """
    values = [v for found in samples.values() for name in names for _, v in found.get(name, ())]
    low, high = min([0.0, *values]), max([*values, *panel.values], default=1.0)
    scale = alt.Scale(domain=[low, high * 1.05 if high > 0 else 1.0], nice=False)
    lines = {
        variant: {name: list(s) if exact else with_gaps(s) for name, s in found.items()}
        for variant, found in samples.items()
    }
    return [
        _chart(view, variant, number_of, panel, samples[variant], lines[variant], names, scale)
        for variant in view.variants
    ]


def _chart(
    view: View,
    variant: str,
    number_of: int,
    panel: PanelSpec,
    samples: Samples,
    lines: Mapping[str, Sequence[tuple[float, float | None]]],
    names: Sequence[str],
    scale: alt.Scale,
) -> Chart:
    y = alt.Y("v:Q", scale=scale, axis=_axis(panel))
    marks: list[alt.Chart] = []
    for k, name in enumerate(names):
        rows = [{"s": at_s, "v": value} for at_s, value in lines.get(name, ())]
        if rows:
            step: Literal["step-after", "linear"] = "step-after" if panel.values else "linear"
            mark = alt.Chart(data(rows)).mark_line(
                color=SERIES[k], strokeDash=DASHES[k], strokeWidth=1.7, interpolate=step
            )
            marks.append(mark.encode(x=seconds(view), y=y))
    if not marks:
        marks = [
            alt.Chart(data([{"s": 0, "v": None}])).mark_line(color="var(--muted)").encode(x=seconds(view), y=y),
            _nothing(view),
        ]
    return Chart(
        name=slug("panel", str(number_of), variant),
        title=f"{variant}: {panel.title}",
        alt_text=f"{panel.title} of variant {variant}: {_summary(panel, samples, names)}.",
        definition=framed(view, variant, marks, _tips(panel, samples, names, view.end_s)),
        height=HEIGHT,
    )


def with_gaps(samples: Sequence[tuple[float, float]]) -> list[tuple[float, float | None]]:
    """The samples, with a None where some are missing: a line must not go on through the time in which one is down."""
    usual_s = median(b - a for (a, _), (b, _) in pairwise(samples)) if len(samples) > 1 else 0.0
    found: list[tuple[float, float | None]] = []
    for at_s, value in samples:
        if found and at_s - found[-1][0] > GAP * usual_s:
            found.append((found[-1][0] + usual_s, None))
        found.append((at_s, value))
    return found


def _axis(panel: PanelSpec) -> alt.Axis:
    if panel.values:
        names = " : ".join(f"datum.value === {value} ? {_quoted(name)}" for value, name in panel.values.items())
        return plain_axis(values=list(panel.values), labelExpr=f"{names} : ''")
    if panel.unit == "s":
        expr = (
            "datum.value === 0 ? '0' : datum.value < 1 ? format(datum.value * 1000, '~r') + ' ms' : datum.label + ' s'"
        )
        return plain_axis(labelExpr=expr)
    if panel.unit in {"bytes", "decbytes", "Bps"}:
        return plain_axis(labelExpr=f"format(datum.value, '~s') + '{'B/s' if panel.unit == 'Bps' else 'B'}'")
    if panel.unit == "percentunit":
        return plain_axis(format=".0%")
    return amounts_axis(UNITS.get(panel.unit, ""))


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _nothing(view: View) -> alt.Chart:
    row = alt.Chart(data([{"s": view.end_s / 2, "t": "no samples"}]))
    text: alt.Chart = row.mark_text(color="var(--muted)").encode(
        x=seconds(view), y=fixed(alt.YValue, HEIGHT / 2), text=alt.Text("t:N")
    )
    return text


def _tips(panel: PanelSpec, samples: Samples, names: Sequence[str], end_s: float) -> list[dict[str, object]]:
    by_time: dict[float, list[str]] = {}
    for name in names:
        for at_s, value in samples.get(name, ()):
            text = panel_value(value, panel.unit, panel.values)
            by_time.setdefault(at_s, []).append(f"{name}: {text}" if name else text)
    moments = sorted(by_time)
    if panel.values:  # a state holds until the next
        spans = list(zip(moments, [*moments[1:], end_s], strict=False))
    else:
        width = min((b - a for a, b in pairwise(moments)), default=1.0)
        spans = [(max(0.0, at - width / 2), min(end_s, at + width / 2)) for at in moments]
    return [
        {"s": begin_s, "e": until_s, "tip": f"at {number(at)} s\n" + "\n".join(by_time[at])}
        for at, (begin_s, until_s) in zip(moments, spans, strict=True)
    ]


def _summary(panel: PanelSpec, samples: Samples, names: Sequence[str]) -> str:
    parts = []
    for name in names:
        values = [v for _, v in samples.get(name, ())]
        if values:
            low, high = (panel_value(v, panel.unit, panel.values) for v in (min(values), max(values)))
            parts.append(f"{name} between {low} and {high}" if name else f"between {low} and {high}")
    return "; ".join(parts) or "no samples"
