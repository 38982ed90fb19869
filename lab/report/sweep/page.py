"""The sweep's page: gained and paid as curves over the knob, what it does not touch, and how to repeat it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.kit.files import put_in_place
from lab.record import InvariantResult
from lab.report.charts.render import Chart, draw, warm_up
from lab.report.numbers import clock
from lab.report.page import environment, favicon, with_charts
from lab.report.sweep.chart import chart
from lab.report.sweep.curves import Curve, Swept, curves

PAGE = "index.html"


@dataclass(frozen=True)
class Drawn:
    """A curve with its chart."""

    curve: Curve
    chart: Chart


@dataclass(frozen=True)
class Stop:
    """A point of the sweep: the knob's value, the verdict of its run with the first reason, and its report."""

    value: str
    verdict: str
    reason: str
    href: str


@dataclass(frozen=True)
class Broken:
    """An invariant that was violated, or not decided, at some values."""

    text: str
    variant: str
    verdict: str
    values: Sequence[str]
    why: str


def write_sweep(folder: Path, swept: Swept) -> Path:
    """Write `index.html` into a sweep's folder, which lies beside those of its runs; gives its path."""
    warm_up()
    every = curves(swept)
    turned = [Drawn(curve, chart(swept, at, curve)) for at, curve in enumerate(every) if curve.turned]
    drawn = draw(each.chart for each in turned)
    record = swept.runs[0][1].record
    text = (
        environment()
        .get_template("sweep.html")
        .render(
            swept=swept,
            spec=record.spec,
            record=record,
            when=clock(record.started_epoch_s),
            stops=_stops(swept),
            gained=[each for each in turned if not each.curve.claim.price],
            paid=[each for each in turned if each.curve.claim.price],
            same=[curve for curve in every if not curve.turned],
            lent=sorted({variant for _, run in swept.runs for variant in run.record.lent}),
            broken=_broken(swept),
            left=[value for value in swept.values if value not in {value for value, _ in swept.runs}],
            commits=sorted({(run.record.git_commit or "unknown")[:12] for _, run in swept.runs}),
            other_knobs=[each for each in record.turned if each.knob != swept.knob],
            favicon=favicon("~", "0b5aa6"),
            **with_charts(drawn, ("theme", "charts")),
        )
    )
    folder.mkdir(parents=True, exist_ok=True)
    return put_in_place(folder / PAGE, text)


def _stops(swept: Swept) -> list[Stop]:
    found = []
    for value, run in swept.runs:
        judged = run.record.judgement
        reason = judged.reasons[0] if judged and judged.reasons else ""
        verdict = judged.verdict if judged else "NOT JUDGED"
        found.append(Stop(value, verdict, reason, f"../../{run.path.name}/index.html"))
    return found


def _broken(swept: Swept) -> list[Broken]:
    """Invariants that did not hold everywhere, with the values where they did not."""
    found: dict[tuple[str, str, str], list[tuple[str, InvariantResult]]] = {}
    for value, run in swept.runs:
        for result in run.record.judgement.invariants if run.record.judgement else ():
            if result.verdict != "PASS":
                found.setdefault((result.invariant.text, result.variant, result.verdict), []).append((value, result))
    return [
        Broken(text, variant, verdict, [value for value, _ in results], results[0][1].why)
        for (text, variant, verdict), results in found.items()
    ]
