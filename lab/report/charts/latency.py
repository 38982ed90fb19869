"""Latency by arrival: a heat map on a logarithmic axis with p50 and p99 over it, and a lane for no answer at all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from lab.report.aggregate import Bin, Cell
from lab.report.charts.render import Chart, slug
from lab.report.charts.theme import HEAT
from lab.report.charts.timeline import data, fixed, framed, seconds, waits_axis
from lab.report.numbers import duration, number
from lab.report.view import View

HEIGHT = 210
HEADROOM = 1.5  # above the slowest: a band at the very edge would not be seen as one
NEAR = 1.5  # times the slowest wait
FULL = 0.02  # of all requests
Timeouts = Sequence[tuple[str, float]]
LINES = {"p50": [4, 3], "p99": [1, 0]}


def charts(
    view: View, bins: Mapping[str, Sequence[Bin]], cells: Mapping[str, Sequence[Cell]], beside: Sequence[Cell] = ()
) -> list[Chart]:
    """One chart a variant, all with the same axes and shades, on which `beside` has room too."""
    everything = [cell for found in [*cells.values(), beside] for cell in found]
    answered = [cell for cell in everything if math.isfinite(cell.low_ms)]
    low = min((c.low_ms for c in answered), default=1.0) / 1.3
    high = max((c.high_ms for c in answered), default=1000.0) * HEADROOM
    timeouts = {variant: _within(timeouts_of(view, variant), low, high) for variant in view.variants}
    high = max([high, *(HEADROOM * ms for found in timeouts.values() for _, ms in found)])
    step = (high / low) ** 0.09  # a lane as high as a ninth of the rest
    lane = (high * step**0.25, high * step**1.25) if len(answered) < len(everything) else None
    steps = shades(max((c.count for c in everything), default=1))
    axis = _Axis(low, high, lane, steps, _where_they_are(answered))
    return [_chart(view, variant, bins[variant], cells[variant], axis, timeouts[variant]) for variant in view.variants]


def timeouts_of(view: View, variant: str) -> list[tuple[str, float]]:
    """The timeouts that a variant's services were told, by the setting's name, and the load's; in milliseconds."""
    told = [view.spec.settings, next(v.env for v in view.spec.variants if v.name == variant)]
    found = {
        f"{member}.{name}": float(value) * 1000
        for settings in told
        for member, env in settings.items()
        for name, value in env.items()
        if name.endswith("TIMEOUT_S") and isinstance(value, int | float) and value > 0
    }
    return [*found.items(), ("the load's timeout", view.spec.load.timeout_s * 1000)]


def _within(timeouts: Sequence[tuple[str, float]], low_ms: float, high_ms: float) -> list[tuple[str, float]]:
    """Those near enough to the waits that they may have shaped them: one far above would squeeze all else."""
    return [(name, ms) for name, ms in timeouts if low_ms <= ms <= high_ms * NEAR]


def _where_they_are(cells: Sequence[Cell]) -> list[float]:
    """The middles of the fullest rows, in milliseconds: there the axis has a label, whatever the decades are."""
    rows: dict[tuple[float, float], int] = {}
    for cell in cells:
        rows[cell.low_ms, cell.high_ms] = rows.get((cell.low_ms, cell.high_ms), 0) + cell.count
    full = sum(rows.values()) * FULL
    return [math.sqrt(low * high) for (low, high), n in sorted(rows.items(), key=lambda row: -row[1]) if n >= full]


def shades(peak: int) -> list[int]:
    """Where one shade ends and the next begins: six about equal steps of the logarithm up to the peak."""
    steps = [1]
    for k in range(1, len(HEAT)):
        steps.append(max(steps[-1] + 1, math.ceil(peak ** (k / len(HEAT)))))
    return steps[1:]


class _Axis:
    def __init__(
        self, low: float, high: float, lane: tuple[float, float] | None, steps: list[int], at_ms: Sequence[float]
    ) -> None:
        self.lane, self.steps, self.highest_ms = lane, steps, high
        self.scale = alt.Scale(type="log", domain=[low, lane[1] if lane else high], nice=False)
        self.ticks = waits_axis(low, high, at_ms=at_ms, length_px=HEIGHT)

    def y(self, field: str) -> alt.Y:
        return alt.Y(field, scale=self.scale, axis=self.ticks)


def _chart(
    view: View, variant: str, bins: Sequence[Bin], cells: Sequence[Cell], axis: _Axis, timeouts: Timeouts
) -> Chart:
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
    marks += _limits(view, timeouts, axis)
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
        heat=(variant, axis.highest_ms),
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


_RIGHT: dict[str, Any] = {"align": "right", "baseline": "bottom", "dx": -4, "dy": -2}
_LEFT: dict[str, Any] = {"align": "left", "baseline": "bottom", "dx": 4, "dy": -2}


def _limits(view: View, timeouts: Timeouts, axis: _Axis) -> list[alt.Chart]:
    """Each timeout as a dotted line with its name."""
    if not timeouts:
        return []
    named = [(f"{name.removesuffix('_S')}: {duration(ms / 1000)}", ms) for name, ms in timeouts]
    layers: list[alt.Chart] = []
    for place, mine in ((_RIGHT, named[::2]), (_LEFT, named[1::2])):  # two that are close do not lie over each other
        layers += _limits_at(view, place, mine, axis) if mine else []
    return layers


def _limits_at(view: View, place: dict[str, Any], named: Sequence[tuple[str, float]], axis: _Axis) -> list[alt.Chart]:
    s = view.end_s if place["align"] == "right" else 0.0
    base = alt.Chart(data([{"s": s, "y": ms, "t": text} for text, ms in named]))
    text = base.encode(x=seconds(view), y=axis.y("y:Q"), text=alt.Text("t:N"))
    return [
        base.mark_rule(color="var(--fail)", strokeWidth=1.2, strokeDash=[2, 3]).encode(y=axis.y("y:Q")),
        text.mark_text(**place, stroke="var(--paper)", strokeWidth=3, strokeOpacity=0.85),
        text.mark_text(**place, color="var(--fail)"),
    ]


def _tip(b: Bin) -> str:
    def wait(ms: float) -> str:
        return duration(ms / 1000) if math.isfinite(ms) else "no answer"

    arrivals = f"arrivals of {number(b.start_s)} to {number(b.end_s)} s: {b.count:,}"
    return f"{arrivals}\np50: {wait(b.p50_ms)}\np99: {wait(b.p99_ms)}"
