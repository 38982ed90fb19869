"""All trials of a variant over time: the band between the lowest and the highest, each as a thin line, the median."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median

import altair as alt

from lab.report.charts.render import Chart, slug
from lab.report.charts.timeline import amounts_axis, data, framed, seconds, waits_axis
from lab.report.numbers import duration, number, quantity
from lab.report.view import View

HEIGHT = 130
Line = Sequence[tuple[float, float | None]]  # (moment in s, value; None: infinite)


def charts(view: View, title: str, unit: str, lines: Mapping[str, Sequence[Line]]) -> list[Chart]:
    """One chart a variant, all with the same axes; `unit` is `ms`, on a logarithmic axis, or `percent`."""
    values = [value for found in lines.values() for line in found for _, value in line if value is not None]
    if unit == "ms":
        low, high = min(values, default=1.0) / 1.3, max(values, default=1000.0) * 1.3
        y = alt.Y(
            "v:Q",
            scale=alt.Scale(type="log", domain=[low, high], nice=False),
            axis=waits_axis(low, high, at_ms=[max(values, default=1.0)], length_px=HEIGHT),
        )
    else:
        y = alt.Y("v:Q", scale=alt.Scale(domain=[0, 104], nice=False), axis=amounts_axis(" %"))
    return [_chart(view, variant, title, unit, lines[variant], y) for variant in view.variants if variant in lines]


def _chart(view: View, variant: str, title: str, unit: str, lines: Sequence[Line], y: alt.Y) -> Chart:
    found: dict[float, list[float]] = {}
    for line in lines:
        for at_s, value in line:
            if value is not None:
                found.setdefault(round(at_s, 3), []).append(value)
    band = [{"s": at_s, "v": min(v), "v2": max(v)} for at_s, v in sorted(found.items())]
    middle = [{"s": at_s, "v": median(v)} for at_s, v in sorted(found.items())]
    x = seconds(view)
    marks: list[alt.Chart] = [
        alt.Chart(data(band)).mark_area(color="var(--heat-2)", opacity=0.6).encode(x=x, y=y, y2=alt.Y2("v2:Q"))
    ]
    marks += [
        alt.Chart(data([{"s": at_s, "v": value} for at_s, value in line]))
        .mark_line(color="var(--heat-5)", strokeWidth=0.8, opacity=0.8)
        .encode(x=x, y=y)
        for line in lines
    ]
    marks.append(alt.Chart(data(middle)).mark_line(color="var(--ink)", strokeWidth=1.8).encode(x=x, y=y))
    return Chart(
        name=slug("trials", unit, variant),
        title=f"{variant}: {title}, {len(lines)} trials",
        alt_text=f"{title} of variant {variant}: the band, the lines and the median of {len(lines)} trials.",
        definition=framed(view, variant, marks, _tips(found, unit)),
        height=HEIGHT,
    )


def _tips(found: Mapping[float, Sequence[float]], unit: str) -> list[dict[str, object]]:
    def text(value: float) -> str:
        return duration(value / 1000) if unit == "ms" else quantity(value, "%")

    moments = sorted(found)
    width = min((b - a for a, b in pairwise(moments)), default=1.0)
    return [
        {
            "s": max(0.0, at_s - width / 2),
            "e": at_s + width / 2,
            "tip": f"at {number(at_s)} s\nmedian {text(median(values))}\n{text(min(values))} to {text(max(values))}",
        }
        for at_s, values in sorted(found.items())
    ]
