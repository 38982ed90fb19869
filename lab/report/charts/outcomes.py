"""Outcomes per second: ok, failed and unanswered arrivals, stacked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt

from lab.report.aggregate import Bin
from lab.report.charts.render import Chart, slug
from lab.report.charts.timeline import amounts_axis, data, framed, seconds
from lab.report.numbers import number
from lab.report.view import View

HEIGHT = 130
GAP = 0.08  # of a bar, so that each second is seen as one
FILLS = {"ok": "var(--ok)", "fail": "var(--fail)", "info": "url(#hatch-info)"}
HEADROOM = 1.18  # above the bars, so that a shaded fault is seen behind them
WORDS = {"ok": "ok", "fail": "failed", "info": "no answer"}


def charts(view: View, bins: Mapping[str, Sequence[Bin]], beside: Sequence[Bin] = ()) -> list[Chart]:
    """One chart a variant, all with the same axes, on which `beside` has room too."""
    everything = [b for found in [*bins.values(), beside] for b in found]
    peak = max((b.count / (b.end_s - b.start_s) for b in everything), default=1.0)
    return [_chart(view, variant, bins[variant], peak) for variant in view.variants]


def _chart(view: View, variant: str, bins: Sequence[Bin], peak: float) -> Chart:
    rows: list[dict[str, object]] = []
    tips: list[dict[str, object]] = []
    for b in bins:
        width_s, low = b.end_s - b.start_s, 0.0
        for outcome, count in (("ok", b.ok), ("fail", b.fail), ("info", b.info)):
            if count:
                rows.append(
                    {"s": b.start_s, "e": b.end_s - GAP * width_s, "y": low, "y2": low + count / width_s, "o": outcome}
                )
                low += count / width_s
        tips.append({"s": b.start_s, "e": b.end_s, "tip": _tip(b)})
    scale = alt.Scale(domain=[0, peak * HEADROOM], nice=False)
    marks = [
        alt.Chart(data([row for row in rows if row["o"] == outcome]))
        .mark_rect(fill=fill)
        .encode(
            x=seconds(view), x2=alt.X2("e:Q"), y=alt.Y("y:Q", scale=scale, axis=amounts_axis("/s")), y2=alt.Y2("y2:Q")
        )
        for outcome, fill in FILLS.items()
        if any(row["o"] == outcome for row in rows)
    ]
    totals = {word: sum(getattr(b, name) for b in bins) for name, word in WORDS.items()}
    summary = ", ".join(f"{count:,} {word}" for word, count in totals.items())
    return Chart(
        name=slug("outcomes", variant),
        title=f"{variant}: outcomes per second",
        alt_text=f"Outcomes per second of variant {variant}, by arrival: {summary} in all.",
        definition=framed(view, variant, marks, tips),
        height=HEIGHT,
    )


def _tip(b: Bin) -> str:
    lines = [f"{WORDS[name]}: {getattr(b, name):,}" for name in WORDS]
    return f"arrivals of {number(b.start_s)} to {number(b.end_s)} s\n" + "\n".join(lines)
