"""A claim over the knob's values: medians joined by a line, intervals, the bound with the side on which it holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from lab.record import ClaimSpec
from lab.report.charts.render import Chart, Layers, slug
from lab.report.charts.timeline import data, fixed
from lab.report.numbers import bound, claim_value
from lab.report.sweep.curves import Curve, Spot, Swept

HEIGHT = 190
LOG_FROM = 60.0  # largest and smallest number this many times apart are not seen together on a straight axis
CLOSE_TO_ALL = 90.0  # percent
# Shape and colour say the verdict: colour never speaks alone.
MARKS = {
    "PASS": ("circle", "var(--series-1)", True),
    "FAIL": ("diamond", "var(--fail)", True),
    "UNKNOWN": ("circle", "var(--muted)", False),
}


def chart(swept: Swept, number_of: int, curve: Curve) -> Chart:
    """One curve."""
    claim, factor = curve.claim, _factor(curve.claim)
    there = [spot for spot in curve.spots if spot.y is not None]
    shown = [y * factor for spot in there for y in (spot.y, spot.low, spot.high) if y is not None]
    edges = [edge * factor for edge in curve.bounds]
    domain, is_log = _share_domain([*shown, *edges]) if claim.is_share else _domain([*shown, *edges])
    y = _y(domain, is_log, _unit(claim))
    x = _x(swept)
    rows = [_row(swept, spot, claim, factor) for spot in there]
    layers: list[alt.Chart] = [_zone(claim, factor, domain, y), *_limits(edges, claim, y)]
    base = alt.Chart(data(rows))
    layers += [
        base.mark_line(color="var(--series-1)", strokeWidth=1.6, opacity=0.7).encode(x=x, y=y("y:Q")),
        base.mark_rule(color="var(--ink)", strokeWidth=2).encode(x=x, y=y("low:Q"), y2=alt.Y2("high:Q")),
    ]
    for verdict, (shape, colour, filled) in MARKS.items():
        of = alt.Chart(data([row for row in rows if row["verdict"] == verdict]))
        mark = of.mark_point(shape=shape, color=colour, filled=filled, size=90, opacity=1, strokeWidth=1.8)
        layers.append(mark.encode(x=x, y=y("y:Q"), tooltip=alt.Tooltip("tip:N")))
    return Chart(
        name=slug("sweep", str(number_of)),
        title=claim.text,
        alt_text=f"{claim.text}, over {swept.knob}: " + "; ".join(str(row["tip"]) for row in rows),
        definition=Layers(layers),
        height=HEIGHT,
        is_timeline=False,
    )


def _row(swept: Swept, spot: Spot, claim: ClaimSpec, factor: float) -> dict[str, object]:
    y = (spot.y or 0.0) * factor
    low = y if spot.low is None else spot.low * factor
    high = y if spot.high is None else spot.high * factor
    told = ("at least " if spot.censored else "") + claim_value(spot.y or 0.0, claim)
    ends = f" ({claim_value(spot.low, claim)} to {_high(spot, claim)})" if spot.low is not None else ""
    tip = f"{spot.value}: {told}{ends}, {spot.verdict}"
    x: object = spot.value if swept.numbers is None else float(spot.value)
    return {"x": x, "y": y, "low": low, "high": high, "verdict": spot.verdict, "tip": tip}


def _high(spot: Spot, claim: ClaimSpec) -> str:
    return "more than is known" if spot.high is None else claim_value(spot.high, claim)


def _factor(claim: ClaimSpec) -> float:
    return 100.0 if claim.is_share else 1.0


def _unit(claim: ClaimSpec) -> str:
    if claim.of is not None:
        return f"times {claim.of}"
    return "%" if claim.is_share else claim.metric.unit or claim.metric.name


def _domain(shown: Sequence[float]) -> tuple[tuple[float, float], bool]:
    """From a little below to a little above; logarithmic where a straight axis would hide the small."""
    low, high = min(shown, default=0.0), max(shown, default=1.0)
    if low > 0 and high / low >= LOG_FROM:
        return (low / 1.6, high * 1.6), True
    low, high = min(low, 0.0), max(high, 0.0)
    room = (high - low or 1.0) * 0.12
    return (low - (room if low < 0 else 0.0), high + room), False


def _share_domain(shown: Sequence[float]) -> tuple[tuple[float, float], bool]:
    """Percent up to 100 and no further; from 0, or close below where all are close to 100."""
    least = min(shown, default=0.0)
    low = max(0.0, 100 - max(1.0, 1.5 * (100 - least))) if least > CLOSE_TO_ALL else 0.0
    return (low, 100 + (100 - low) * 0.04), False


def _y(domain: tuple[float, float], is_log: bool, unit: str) -> Any:
    scale = alt.Scale(type="log" if is_log else "linear", domain=list(domain), nice=False)
    axis = alt.Axis(title=unit, tickCount=5, grid=True, titleAngle=0, titleAlign="left", titleY=-10, titleX=0)

    def encoded(field: str) -> alt.Y:
        return alt.Y(field, scale=scale, axis=axis)

    return encoded


def _x(swept: Swept) -> alt.X:
    """A number of the knob, at its place; words in their order."""
    if swept.numbers is None:
        return alt.X("x:N", sort=list(swept.values), axis=alt.Axis(title=swept.name, labelAngle=0, grid=False))
    numbers = sorted(swept.numbers)
    span = (numbers[0] / 1.15, numbers[-1] * 1.15) if swept.is_log else _room(numbers)
    scale = alt.Scale(type="log" if swept.is_log else "linear", domain=list(span), nice=False)
    axis = alt.Axis(title=swept.name, values=numbers, format="~g", grid=False, labelOverlap="greedy")
    return alt.X("x:Q", scale=scale, axis=axis)


def _room(numbers: Sequence[float]) -> tuple[float, float]:
    room = (numbers[-1] - numbers[0]) * 0.06 or 1.0
    return numbers[0] - room, numbers[-1] + room


def _zone(claim: ClaimSpec, factor: float, domain: tuple[float, float], y: Any) -> alt.Chart:
    """The band in which the claim holds, over the whole width."""
    low = domain[0] if claim.at_least is None else max(domain[0], claim.at_least * factor)
    high = domain[1] if claim.at_most is None else min(domain[1], claim.at_most * factor)
    band: alt.Chart = (
        alt.Chart(data([{"low": low, "high": high}]))
        .mark_rect(color="var(--pass-wash)", opacity=1)
        .encode(y=y("low:Q"), y2=alt.Y2("high:Q"))
    )
    return band


def _limits(edges: Sequence[float], claim: ClaimSpec, y: Any) -> list[alt.Chart]:
    lines = alt.Chart(data([{"y": edge} for edge in edges]))
    names = alt.Chart(data([{"y": edge, "t": bound(claim)} for edge in edges[:1]]))
    text = names.mark_text(align="right", baseline="bottom", dy=-3, dx=-4, color="var(--pass-ink)")
    return [
        lines.mark_rule(color="var(--pass-ink)", strokeWidth=1.4, strokeDash=[5, 3]).encode(y=y("y:Q")),
        text.encode(x=fixed(alt.XValue, "width"), y=y("y:Q"), text=alt.Text("t:N")),
    ]
