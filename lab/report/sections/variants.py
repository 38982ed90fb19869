"""The variants side by side on shared axes: outcomes per second, and latency by arrival."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from lab import metrics
from lab.record import MetricSpec
from lab.report import findings
from lab.report.aggregate import bin_s, heat, over_time
from lab.report.cells import cells as cells_of
from lab.report.charts import latency, outcomes
from lab.report.charts.labels import MANY
from lab.report.charts.render import Chart
from lab.report.numbers import duration, percent
from lab.report.view import View

TITLE = "Variants side by side"


@dataclass(frozen=True)
class Cell:
    """One variant in one phase."""

    requests: str
    ok: str
    ok_share: float
    p50: str
    p99: str


@dataclass(frozen=True)
class Data:
    """`table` holds a row a phase and in it a cell a variant, None where that phase was not reached."""

    variants: Sequence[str]
    missing: Sequence[str]
    outcomes: Sequence[Chart]
    latencies: Sequence[Chart]
    outcomes_say: str
    all_ok: bool  # each request of each variant: these charts say nothing, and stay folded
    latencies_say: str
    cells: str  # JSON: the operations of the heat maps' cells
    shades: Sequence[str]
    bin: str
    short: str
    broken: bool
    table: Sequence[tuple[str, str, Sequence[Cell | None]]]

    @property
    def charts(self) -> list[Chart]:
        """All charts of the section."""
        return [*self.outcomes, *self.latencies]


def build(view: View) -> Data | None:
    """None where no operation was recorded."""
    operations = {variant: view.run.operations(variant, view.trial) for variant in view.variants}
    if not any(len(ops) for ops in operations.values()):
        return None
    width_s, timeout_s = bin_s(view.end_s), view.spec.load.timeout_s
    bins = {variant: over_time(ops, timeout_s, view.ended_s(variant), width_s) for variant, ops in operations.items()}
    cells = {variant: heat(ops, timeout_s, view.ended_s(variant), width_s) for variant, ops in operations.items()}
    steps = latency.shades(max(cell.count for found in cells.values() for cell in found))
    return Data(
        variants=view.variants,
        missing=view.missing,
        outcomes=outcomes.charts(view, bins),
        latencies=latency.charts(view, bins, cells),
        outcomes_say=findings.outcomes(view),
        all_ok=all(bool(ops.ok.all()) for ops in operations.values()),
        latencies_say=findings.latency(view),
        cells=cells_of(view, width_s),
        shades=_shade_labels(steps),
        bin=duration(width_s),
        short=_short(view),
        broken=any(fault.in_force for variant in view.variants for fault in view.faults(variant)),
        table=[
            (p.name, _named([f.text for f in p.faults]), [_cell(view, variant, p.name) for variant in view.variants])
            for p in view.spec.phases
        ],
    )


def _named(faults: Sequence[str]) -> str:
    """The faults of a phase; of many the first, and how many more."""
    return ", ".join(faults) if len(faults) < MANY else f"{faults[0]} and {len(faults) - 1} more"


def _short(view: View) -> str:
    """Why a p99 is missing from the table, where one is."""
    everywhere = ((v, p.name) for v in view.variants for p in view.phases(v))
    taken = (view.measure(MetricSpec("p99_ms", "ms"), variant, phase) for variant, phase in everywhere)
    return next((m.why for m in taken if m.value is None), "")


def _shade_labels(steps: Sequence[int]) -> list[str]:
    edges = [1, *steps]
    labels = [f"{low}" if high - low == 1 else f"{low}–{high - 1}" for low, high in pairwise(edges)]
    return [*labels, f"{edges[-1]}+"]


def _cell(view: View, variant: str, phase: str) -> Cell | None:
    requests, share = (
        view.measure(MetricSpec(name, ""), variant, phase).value for name in ("requests", "success_ratio")
    )
    if requests is None or share is None:
        return None
    p50, p99 = (wait(view.measure(MetricSpec(name, "ms"), variant, phase)) for name in ("p50_ms", "p99_ms"))
    return Cell(f"{requests:,.0f}", percent(share), share, p50, p99)


def wait(measured: metrics.Measured) -> str:
    """A wait in the unit that fits; `≥` where it was never answered, a dash where it could not be taken."""
    if measured.value is None:
        return "–"
    return ("≥ " if measured.censored else "") + duration(measured.value / 1000)
