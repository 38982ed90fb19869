"""The canary: what a probe through the link saw, and one beside it."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import altair as alt

from lab.report.aggregate import ProbeBin
from lab.report.charts.render import Chart, slug
from lab.report.charts.timeline import data, fixed, framed, seconds, waits_axis
from lab.report.numbers import duration, number
from lab.report.view import View

HEIGHT = 120


def chart(
    view: View, variant: str, number_of: int, target: str, bins: Sequence[ProbeBin], domain: tuple[float, float]
) -> Chart:
    """Median latency of the answered probes of both paths; the unanswered stand in a lane of their own."""
    low, high = domain
    lane = (high * 1.25, high * 2.6)
    usual = [
        median(seen)
        for path in ("through", "beside")
        if (seen := [b.p50_ms for b in bins if b.path == path and b.p50_ms is not None])
    ]
    scale = alt.Scale(type="log", domain=[low, lane[1]], nice=False)

    def y(field: str) -> alt.Y:
        return alt.Y(field, scale=scale, axis=waits_axis(low, high, at_ms=usual, length_px=HEIGHT))

    lost = [
        {"s": b.start_s, "e": b.end_s, "y": lane[0], "y2": lane[1]}
        for b in bins
        if b.path == "through" and b.unanswered
    ]
    marks = [
        _points(view, bins, "beside", y("y:Q"), shape="square", color="var(--muted)", filled=False),
        _points(view, bins, "through", y("y:Q"), shape="circle", color="var(--series-1)", filled=True),
    ]
    if lost:
        boxes = alt.Chart(data(lost)).mark_rect(fill="url(#hatch-info)")
        name = alt.Chart(data([{"y": (lane[0] * lane[1]) ** 0.5, "t": "no answer"}]))
        text = name.mark_text(align="right", baseline="middle", color="var(--muted)", dx=-6, clip=False)
        marks += [
            boxes.encode(x=seconds(view), x2=alt.X2("e:Q"), y=y("y:Q"), y2=alt.Y2("y2:Q")),
            text.encode(x=fixed(alt.XValue, 0), y=y("y:Q"), text=alt.Text("t:N")),
        ]
    beside_lost = sum(sum(b.unanswered.values()) for b in bins if b.path == "beside")
    through_lost = sum(sum(b.unanswered.values()) for b in bins if b.path == "through")
    return Chart(
        name=slug("canary", str(number_of), variant),
        title=f"{variant}: canary at {target}",
        alt_text=(
            f"Canary at {target}, variant {variant}: {through_lost} probes through the link and {beside_lost} beside "
            "it were not answered."
        ),
        definition=framed(view, variant, marks, _tips(bins)),
        height=HEIGHT,
    )


def _points(
    view: View, bins: Sequence[ProbeBin], path: str, y: alt.Y, *, shape: str, color: str, filled: bool
) -> alt.Chart:
    rows = [
        {"s": (b.start_s + b.end_s) / 2, "y": round(b.p50_ms, 4)}
        for b in bins
        if b.path == path and b.p50_ms is not None
    ]
    mark = alt.Chart(data(rows)).mark_point(
        shape=shape, color=color, filled=filled, size=16, opacity=0.9, strokeWidth=1
    )
    points: alt.Chart = mark.encode(x=seconds(view), y=y)
    return points


def _tips(bins: Sequence[ProbeBin]) -> list[dict[str, object]]:
    spans: dict[tuple[float, float], list[str]] = {}
    for b in sorted(bins, key=lambda b: b.path, reverse=True):
        seen = [] if b.p50_ms is None else [f"{b.answered} answered, median {duration(b.p50_ms / 1000)}"]
        seen += [f"{count} {outcome}" for outcome, count in b.unanswered.items()]
        spans.setdefault((b.start_s, b.end_s), []).append(f"{b.path}: {', '.join(seen)}")
    return [
        {"s": s, "e": e, "tip": f"{number(s)} to {number(e)} s\n" + "\n".join(lines)} for (s, e), lines in spans.items()
    ]
