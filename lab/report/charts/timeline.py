"""The frame that every chart over time shares: the same seconds, phase by phase, every fault window shaded."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import altair as alt

from lab.record import Event
from lab.report.charts.labels import Label, of_faults, placed
from lab.report.charts.render import Layers
from lab.report.view import View

Rows = Sequence[Mapping[str, object]]
Y_LABELS_PX = 60  # the same in all, so that charts beneath each other keep their seconds aligned
LINE_PX = 14
ONE_LINE_S = 0.25
MOST_TOLD = 6  # events in one tooltip


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
    """Lines of text above the plot: those of the phases and, below, those of the faults, of the fullest variant."""
    return _phase_lines(view) + _fault_lines(view)


def _phase_lines(view: View) -> int:
    return max((1 + label.line for v in view.variants for label in _phases(view, v)), default=1)


def _fault_lines(view: View) -> int:
    return max((1 + label.line for v in view.variants for label in _faults(view, v)), default=0)


def _phases(view: View, variant: str) -> list[Label]:
    return placed([(phase.start_s, phase.name) for phase in view.phases(variant)], view.end_s)


def _faults(view: View, variant: str) -> list[Label]:
    return placed(of_faults(view.faults(variant)), view.end_s)


def framed(view: View, variant: str, marks: Sequence[alt.Chart], tips: Rows) -> Layers:
    """Marks with every fault window shaded and labelled, every event, and over all of it what carries the tooltips."""
    shade, edges = _windows(view, variant)
    moments = view.events(variant)
    layers = [*shade, *marks, *edges, *_events(view, moments), *_labels(view, variant)]
    return Layers([*layers, _hover(view, with_events(tips, moments))])


def _events(view: View, moments: Sequence[Event]) -> list[alt.Chart]:
    """A tick at the foot of the plot for each event but those of faults, whose windows are shaded."""
    layers = []
    for kinds, colour in ((("told", "seen"), "var(--ink)"), (("alert",), "var(--unknown-ink)")):
        rows = [{"s": moment.at_s} for moment in moments if moment.kind in kinds]
        if rows:
            mark = alt.Chart(data(rows)).mark_point(
                shape="triangle-up", filled=True, size=70, yOffset=-5, color=colour, opacity=1, stroke="var(--paper)"
            )
            layers.append(mark.encode(x=seconds(view), y=fixed(alt.YValue, "height")))
    return layers


def with_events(tips: Rows, moments: Sequence[Event]) -> list[Mapping[str, object]]:
    """The tooltips, those of bins in which something happened with what it was."""
    found: list[Mapping[str, object]] = []
    for tip in tips:
        begin_s, end_s = float(str(tip["s"])), float(str(tip["e"]))
        within = [f"{one.at_s:.3f} s {one.source}: {one.text}" for one in moments if begin_s <= one.at_s < end_s]
        more = [f"and {len(within) - MOST_TOLD} more"] if len(within) > MOST_TOLD else []
        found.append({**tip, "tip": "\n".join([str(tip["tip"]), *within[:MOST_TOLD], *more])})
    return found


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
        united = _united(spans)
        cap = alt.Chart(data(united)).mark_rule(color="var(--fault)", strokeWidth=3, strokeDash=dash)
        edges.append(cap.encode(x=seconds(view), x2=alt.X2("e:Q"), y=fixed(alt.YValue, -1.5)))
        if in_force:
            ends = alt.Chart(data([{"s": at_s} for at_s in _apart([at for span in spans for at in span.values()])]))
            edges.append(ends.mark_rule(color="var(--fault)", strokeWidth=1).encode(x=seconds(view)))
            shade = alt.Chart(data(united)).mark_rect(fill="url(#hatch-fault)")
            shades.append(shade.encode(x=seconds(view), x2=alt.X2("e:Q")))
    return shades, edges


def _united(spans: Sequence[Mapping[str, float]]) -> list[dict[str, float]]:
    """Windows that overlap as one: shaded five times over, five faults at once would hide what is behind them."""
    found: list[dict[str, float]] = []
    for span in sorted(spans, key=lambda span: span["s"]):
        if found and span["s"] < found[-1]["e"]:
            found[-1]["e"] = max(found[-1]["e"], span["e"])
        else:
            found.append(dict(span))
    return found


def _apart(moments_s: Sequence[float]) -> list[float]:
    """Moments of which no two are so close that their lines would be one thick one."""
    found: list[float] = []
    for at_s in sorted(moments_s):
        if not found or at_s - found[-1] >= ONE_LINE_S:
            found.append(at_s)
    return found


def _labels(view: View, variant: str) -> list[alt.Chart]:
    # Vega places by the plot's top edge; lines grow upwards from it, the faults nearest to what they shade.
    above = -6 - LINE_PX * _fault_lines(view)
    return [
        *_texts(view, _phases(view, variant), above, color="var(--muted)"),
        *_texts(view, _faults(view, variant), -5, color="var(--fault)", fontWeight=600),
    ]


def _texts(view: View, labels: Sequence[Label], from_px: float, **style: Any) -> list[alt.Chart]:
    """A layer for the labels of each line that are aligned alike."""
    layers = []
    for line, align, limit_px in sorted({(label.line, label.align, label.limit_px) for label in labels}):
        mine = [label for label in labels if (label.line, label.align, label.limit_px) == (line, align, limit_px)]
        rows = [{"s": label.at_s, "text": label.text} for label in mine]
        mark = alt.Chart(data(rows)).mark_text(
            align=align, baseline="bottom", dx=2 if align == "left" else -2, limit=limit_px, clip=False, **style
        )
        y = fixed(alt.YValue, from_px - LINE_PX * line)
        layers.append(mark.encode(x=seconds(view), y=y, text=alt.Text("text:N")))
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


def waits_axis(
    low_ms: float,
    high_ms: float,
    labels_px: int = Y_LABELS_PX,
    *,
    at_ms: Sequence[float] = (),
    length_px: float = 200,
    apart_px: float = 18,
) -> alt.Axis:
    """A logarithmic axis of milliseconds, labelled 1 ms, 10 ms, 100 ms, 1 s; `at_ms` are values that want a label."""
    return alt.Axis(
        title=None,
        values=ticks(low_ms, high_ms, at_ms, apart_px / length_px),
        minExtent=labels_px,
        maxExtent=labels_px,
        labelExpr="datum.value >= 1000 ? format(datum.value / 1000, '~g') + ' s' : format(datum.value, '~g') + ' ms'",
    )


def ticks(low: float, high: float, at: Sequence[float], apart: float) -> list[float]:
    """Where a logarithmic axis has its labels: near the values of `at`, the first before all, then each decade.

    Labels are steps of 1, 2, 5 that lie within the axis and at least `apart` of its length from each other.
    """
    steps = [step * 10.0**k for k in range(-3, 7) for step in (1, 2, 5) if low <= step * 10.0**k <= high]
    decades = [10.0**k for k in range(-3, 7) if low <= 10.0**k <= high]
    nearest = [min(steps, key=lambda step: abs(math.log(step / value))) for value in at if value > 0 and steps]
    chosen: list[float] = []
    for step in [*nearest, *decades, *(steps if len(decades) < 2 else ())]:
        if all(abs(math.log(step / other)) >= apart * math.log(high / low) for other in chosen):
            chosen.append(step)
    return sorted(chosen)


def plain_axis(**settings: Any) -> alt.Axis:
    """A vertical axis from zero with few lines."""
    return alt.Axis(title=None, tickCount=4, minExtent=Y_LABELS_PX, maxExtent=Y_LABELS_PX, **settings)


def amounts_axis(unit: str, **settings: Any) -> alt.Axis:
    """A vertical axis from zero whose every label has its unit: `50/s`, `20 ms`."""
    text = "(abs(datum.value) >= 100000 ? format(datum.value, '~s') : format(datum.value, ',~g'))"
    return plain_axis(labelExpr=f"datum.value === 0 ? '0' : {text} + '{unit}'", **settings)
