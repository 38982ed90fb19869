"""Latency by arrival: a heat map on a logarithmic axis with p50 and p99 over it, and a lane for no answer at all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import altair as alt

from lab.report.aggregate import Bin, Cell
from lab.report.charts.render import Chart, slug
from lab.report.charts.theme import HEAT
from lab.report.charts.timeline import data, fixed, framed, seconds, waits_axis
from lab.report.numbers import duration, number
from lab.report.view import View

HEIGHT = 210
LINES = {"p50": [4, 3], "p99": [1, 0]}


def charts(view: View, bins: Mapping[str, Sequence[Bin]], cells: Mapping[str, Sequence[Cell]]) -> list[Chart]:
    """One chart a variant, all with the same axes and shades."""
    everything = [cell for found in cells.values() for cell in found]
    answered = [cell for cell in everything if math.isfinite(cell.low_ms)]
    low = min((c.low_ms for c in answered), default=1.0) / 1.3
    high = max((c.high_ms for c in answered), default=1000.0) * 1.15
    step = (high / low) ** 0.09  # a lane as high as a ninth of the rest
    lane = (high * step**0.25, high * step**1.25) if len(answered) < len(everything) else None
    steps = shades(max((c.count for c in everything), default=1))
    axis = _Axis(low, high, lane, steps)
    return [_chart(view, variant, bins[variant], cells[variant], axis) for variant in view.variants]


def shades(peak: int) -> list[int]:
    """Where one shade ends and the next begins: six about equal steps of the logarithm up to the peak."""
    steps = [1]
    for k in range(1, len(HEAT)):
        steps.append(max(steps[-1] + 1, math.ceil(peak ** (k / len(HEAT)))))
    return steps[1:]


class _Axis:
    def __init__(self, low: float, high: float, lane: tuple[float, float] | None, steps: list[int]) -> None:
        self.lane, self.steps = lane, steps
        self.scale = alt.Scale(type="log", domain=[low, lane[1] if lane else high], nice=False)
        self.ticks = waits_axis(low, high)

    def y(self, field: str) -> alt.Y:
        return alt.Y(field, scale=self.scale, axis=self.ticks)


def _chart(view: View, variant: str, bins: Sequence[Bin], cells: Sequence[Cell], axis: _Axis) -> Chart:
    rows = [
        {"s": c.start_s, "e": c.end_s, "y": round(c.low_ms, 4), "y2": round(c.high_ms, 4), "n": c.count}
        for c in cells
        if math.isfinite(c.low_ms)
    ]
    lost = [{"s": c.start_s, "e": c.end_s, "n": c.count} for c in cells if not math.isfinite(c.low_ms)]
    colour = alt.Color("n:Q", scale=alt.Scale(type="threshold", domain=axis.steps, range=list(HEAT)), legend=None)
    marks = [
        alt.Chart(data(rows))
        .mark_rect()
        .encode(x=seconds(view), x2=alt.X2("e:Q"), y=axis.y("y:Q"), y2=alt.Y2("y2:Q"), color=colour)
    ]
    if axis.lane is not None:
        marks += _lane(view, lost, axis)
    marks += [stroke for name in LINES for stroke in _line(view, bins, name, axis)]
    tips = [{"s": b.start_s, "e": b.end_s, "tip": _tip(b)} for b in bins]
    worst = max((b.p99_ms for b in bins), default=0.0)
    return Chart(
        name=slug("latency", variant),
        title=f"{variant}: latency by arrival",
        alt_text=(
            f"Latency of variant {variant} by arrival, logarithmic, with p50 and p99 of each bin; "
            f"the worst p99 is {'no answer at all' if math.isinf(worst) else duration(worst / 1000)}."
        ),
        definition=framed(view, variant, marks, tips),
        height=HEIGHT,
    )


def _lane(view: View, lost: Sequence[Mapping[str, object]], axis: _Axis) -> list[alt.Chart]:
    assert axis.lane is not None
    low, high = axis.lane
    rows = [{**row, "y": low, "y2": high} for row in lost]
    boxes = (
        alt.Chart(data(rows))
        .mark_rect(fill="url(#hatch-info)")
        .encode(x=seconds(view), x2=alt.X2("e:Q"), y=axis.y("y:Q"), y2=alt.Y2("y2:Q"))
    )
    text = (
        alt.Chart(data([{"y": math.sqrt(low * high), "t": "no answer"}]))
        .mark_text(align="right", baseline="middle", color="var(--muted)", dx=-6, clip=False)
        .encode(x=fixed(alt.XValue, 0), y=axis.y("y:Q"), text=alt.Text("t:N"))
    )
    return [boxes, text] if rows else [text]


def _line(view: View, bins: Sequence[Bin], name: str, axis: _Axis) -> list[alt.Chart]:
    """A quantile over time with a halo, broken where it is infinite."""
    points: list[dict[str, object]] = []
    for b in bins:
        value = getattr(b, f"{name}_ms")
        points.append({"s": (b.start_s + b.end_s) / 2, "y": round(value, 3) if math.isfinite(value) else None})
    base = alt.Chart(data(points)).encode(x=seconds(view), y=axis.y("y:Q"))
    return [
        base.mark_line(color="var(--paper)", strokeWidth=3.5, strokeOpacity=0.8),
        base.mark_line(color="var(--ink)", strokeWidth=1.4, strokeDash=LINES[name]),
    ]


def _tip(b: Bin) -> str:
    def wait(ms: float) -> str:
        return duration(ms / 1000) if math.isfinite(ms) else "no answer"

    arrivals = f"arrivals of {number(b.start_s)} to {number(b.end_s)} s: {b.count:,}"
    return f"{arrivals}\np50: {wait(b.p50_ms)}\np99: {wait(b.p99_ms)}"
