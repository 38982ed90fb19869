"""The frame that every chart over time shares: the same seconds, phase by phase, every fault window shaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import altair as alt

from lab.report.charts.render import Layers
from lab.report.view import View

Rows = Sequence[Mapping[str, object]]
Y_LABELS_PX = 60  # the same in all, so that charts beneath each other keep their seconds aligned
LINE_PX = 14
LABEL_PX = 250


def data(rows: Rows) -> alt.InlineData:
    """Rows as inline data, numbers to six digits: more cannot be drawn."""
    short = tuple({k: float(f"{v:.6g}") if isinstance(v, float) else v for k, v in row.items()} for row in rows)
    return alt.InlineData(values=short)  # a tuple: Altair copies lists again with every layer


def fixed(channel: Callable[..., Any], pixels: float | str) -> Any:
    """A channel (`alt.YValue`) at a place in the plot, in pixels; its type is Altair's, which does not say it."""
    return channel(pixels)


def seconds(view: View) -> alt.X:
    """The time axis: from 0 to the end of the longest pass."""
    axis = alt.Axis(
        title=None, grid=False, tickCount=8, labelExpr="datum.label + ' s'", labelFlush=False, labelSeparation=9
    )
    return alt.X("s:Q", scale=alt.Scale(domain=[0, view.end_s], nice=False), axis=axis)


def label_rows(view: View) -> int:
    """Lines of text above the plot: the phases, and as many as overlapping faults need in any variant."""
    return 1 + max((max(_lanes(view, v).values(), default=-1) + 1 for v in view.variants), default=0)


def _lanes(view: View, variant: str) -> dict[int, int]:
    """Index of a fault window -> line of its label, so that labels of overlapping windows do not collide."""
    lanes: dict[int, int] = {}
    free_from: list[float] = []
    for k, fault in enumerate(view.faults(variant)):
        needs_s = max(fault.end_s - fault.start_s, len(fault.label) * view.end_s / 90)
        lane = next((n for n, free in enumerate(free_from) if free <= fault.start_s), len(free_from))
        if lane == len(free_from):
            free_from.append(0.0)
        free_from[lane] = fault.start_s + needs_s
        lanes[k] = lane
    return lanes


def framed(view: View, variant: str, marks: Sequence[alt.Chart], tips: Rows) -> Layers:
    """Marks with every fault window shaded and labelled, and over all of it what carries the tooltips."""
    shade, edges = _windows(view, variant)
    return Layers([*shade, *marks, *edges, *_labels(view, variant), _hover(view, tips)])


def _windows(view: View, variant: str) -> tuple[list[alt.Chart], list[alt.Chart]]:
    """The shades of the faults that were in force, and the edges of phases and faults.

    A fault that was asked and not in force has a dashed line above the plot and no shade.
    """
    phases = [{"s": p.start_s} for p in view.phases(variant)[1:]]
    edges = [alt.Chart(data(phases)).mark_rule(color="var(--muted)", strokeDash=[2, 3]).encode(x=seconds(view))]
    shades: list[alt.Chart] = []
    for in_force, dash in ((True, [1, 0]), (False, [4, 3])):
        spans = [{"s": f.start_s, "e": f.end_s} for f in view.faults(variant) if f.in_force is in_force]
        if not spans:
            continue
        cap = alt.Chart(data(spans)).mark_rule(color="var(--fault)", strokeWidth=3, strokeDash=dash)
        edges.append(cap.encode(x=seconds(view), x2=alt.X2("e:Q"), y=fixed(alt.YValue, -1.5)))
        if in_force:
            ends = alt.Chart(data([{"s": at_s} for span in spans for at_s in span.values()]))
            edges.append(ends.mark_rule(color="var(--fault)", strokeWidth=1).encode(x=seconds(view)))
            shade = alt.Chart(data(spans)).mark_rect(fill="url(#hatch-fault)")
            shades.append(shade.encode(x=seconds(view), x2=alt.X2("e:Q")))
    return shades, edges


def _labels(view: View, variant: str) -> list[alt.Chart]:
    lanes = _lanes(view, variant)
    # Vega places by the plot's top edge; lines grow upwards from it, the faults nearest to what they shade.
    phases = [{"s": p.start_s, "text": p.name} for p in view.phases(variant)]
    top = -6 - LINE_PX * (label_rows(view) - 1)
    layers = [
        alt.Chart(data(phases))
        .mark_text(align="left", baseline="bottom", color="var(--muted)", dx=2, clip=False)
        .encode(x=seconds(view), y=fixed(alt.YValue, top), text=alt.Text("text:N"))
    ]
    for lane in sorted(set(lanes.values())):
        rows = [{"s": f.start_s, "text": f.label} for k, f in enumerate(view.faults(variant)) if lanes[k] == lane]
        layers.append(
            alt.Chart(data(rows))
            .mark_text(
                align="left", baseline="bottom", color="var(--fault)", fontWeight=600, dx=2, limit=LABEL_PX, clip=False
            )
            .encode(x=seconds(view), y=fixed(alt.YValue, -5 - LINE_PX * lane), text=alt.Text("text:N"))
        )
    return layers


def _hover(view: View, rows: Rows) -> alt.Chart:
    """Invisible bars of full height, one a bin (`s`, `e`), that carry the tooltip text `tip`."""
    bars: alt.Chart = (
        alt.Chart(data(rows))
        .mark_rect(opacity=0)
        .encode(
            x=seconds(view),
            x2=alt.X2("e:Q"),
            y=fixed(alt.YValue, 0),
            y2=fixed(alt.Y2Value, "height"),
            tooltip=alt.Tooltip("tip:N"),
        )
    )
    return bars


def waits_axis(low_ms: float, high_ms: float, labels_px: int = Y_LABELS_PX) -> alt.Axis:
    """A logarithmic axis of milliseconds, labelled 1 ms, 10 ms, 100 ms, 1 s."""
    decades = [10.0**k for k in range(-3, 7) if low_ms <= 10.0**k <= high_ms]
    few = [step * 10.0**k for k in range(-3, 7) for step in (1, 2, 5) if low_ms <= step * 10.0**k <= high_ms]
    return alt.Axis(
        title=None,
        values=decades if len(decades) > 1 else few,
        minExtent=labels_px,
        maxExtent=labels_px,
        labelExpr="datum.value >= 1000 ? format(datum.value / 1000, '~g') + ' s' : format(datum.value, '~g') + ' ms'",
    )


def plain_axis(**settings: Any) -> alt.Axis:
    """A vertical axis from zero with few lines."""
    return alt.Axis(title=None, tickCount=4, minExtent=Y_LABELS_PX, maxExtent=Y_LABELS_PX, **settings)
