"""p99 as most tools report it (start to end) against p99 as callers felt it (due to end)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import altair as alt

from lab.report.charts.render import Chart, Layers
from lab.report.charts.timeline import data, waits_axis
from lab.report.numbers import duration

ROW_PX, TALL_ROW_PX = 24, 36
X_LABELS_PX = 18
LIMIT_PX = 240
NEXT_LINE = " / "
LONG = 24  # characters; a longer label takes two lines, or a phone would show little else
CHARACTER_PX, GAP_PX = 6.4, 8.0  # of a wide font at 11 px: the page's own may be wider than the one Vega measures with


@dataclass(frozen=True)
class Pair:
    """Both p99 of one phase of one variant; `censored`: that request was never answered, it waited at least that."""

    variant: str
    phase: str
    naive_ms: float
    intended_ms: float
    censored: bool = False

    @property
    def ratio(self) -> float:
        """How many times as long callers waited as the naive figure says."""
        return self.intended_ms / self.naive_ms if self.naive_ms > 0 else 1.0


def chart(pairs: Sequence[Pair]) -> Chart:
    """A pair a row: a ring for the naive, a diamond for the intended, a line between."""
    tall = any(len(f"{p.variant} · {p.phase}") > LONG for p in pairs)
    shown = [max(v, 1e-3) for p in pairs for v in (p.naive_ms, p.intended_ms)]
    rows = [
        {
            "row": f"{p.variant}{NEXT_LINE if tall else ' · '}{p.phase}",
            "naive": p.naive_ms,
            "intended": p.intended_ms,
            "tip": f"{p.variant}, {p.phase}\nnaive: {_wait(p, p.naive_ms)}\nintended start: {_wait(p, p.intended_ms)}",
        }
        for p in pairs
    ]
    domain = (min(shown, default=1.0) / 1.6, max(shown, default=1.0) * 1.6)
    scale = alt.Scale(type="log", domain=list(domain), nice=False)
    order = [str(row["row"]) for row in rows]
    labels = alt.Axis(
        title=None,
        grid=True,
        labelColor="var(--ink)",
        labelExpr=f"split(datum.label, '{NEXT_LINE}')",
        labelLimit=LIMIT_PX,
        minExtent=min(LIMIT_PX, GAP_PX + CHARACTER_PX * max((len(line) for line in _lines(order)), default=0)),
    )
    y = alt.Y("row:N", sort=order, axis=labels)

    def x(field: str) -> alt.X:
        return alt.X(
            field,
            scale=scale,
            axis=waits_axis(
                *domain, labels_px=X_LABELS_PX, at_ms=[max(shown, default=1.0)], length_px=260, apart_px=44
            ),
        )

    base = alt.Chart(data(rows))
    marks = [
        base.mark_rule(color="var(--muted)", strokeWidth=2).encode(x=x("naive:Q"), x2=alt.X2("intended:Q"), y=y),
        base.mark_point(shape="diamond", filled=True, size=110, color="var(--series-2)", opacity=1).encode(
            x=x("intended:Q"), y=y, tooltip=alt.Tooltip("tip:N")
        ),
        base.mark_point(shape="circle", size=55, color="var(--ink)", strokeWidth=1.6, opacity=1).encode(
            x=x("naive:Q"), y=y, tooltip=alt.Tooltip("tip:N")
        ),
    ]
    return Chart(
        name="naive",
        title="p99, naive and from the intended start",
        alt_text="; ".join(str(row["tip"]).replace("\n", ", ") for row in rows),
        definition=Layers(marks),
        height=(TALL_ROW_PX if tall else ROW_PX) * max(1, len(rows)),
        is_timeline=False,
    )


def _lines(rows: Iterable[str]) -> Iterator[str]:
    return (line for row in rows for line in row.split(NEXT_LINE))


def _wait(pair: Pair, ms: float) -> str:
    return ("at least " if pair.censored else "") + duration(ms / 1000)
