"""The charts of several runs on the same axes: variant by variant, run beside run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lab.report.aggregate import bin_s, heat, over_time
from lab.report.charts import latency, outcomes
from lab.report.charts.render import Chart
from lab.report.view import View


@dataclass(frozen=True)
class Beside:
    """One variant: its outcomes and its latency in each run, None where a run did not reach it."""

    variant: str
    outcomes: Sequence[Chart | None]
    latencies: Sequence[Chart | None]

    @property
    def charts(self) -> list[Chart]:
        """Those to draw."""
        return [chart for chart in [*self.outcomes, *self.latencies] if chart is not None]


def beside(views: Sequence[View], letters: Sequence[str]) -> list[Beside]:
    """Charts of every variant that any run has; one time axis, one scale of rates and one of waits for all."""
    until_s = max(view.end_s for view in views)
    shared = [replace(view, until_s=until_s) for view in views]
    width_s = bin_s(until_s)
    drawn: list[dict[str, tuple[Chart, Chart]]] = []
    bins, cells = [], []
    for view in shared:
        timeout_s = view.spec.load.timeout_s
        operations = {variant: view.run.operations(variant, view.trial) for variant in view.variants}
        bins.append({v: over_time(ops, timeout_s, view.ended_s(v), width_s) for v, ops in operations.items()})
        cells.append({v: heat(ops, timeout_s, view.ended_s(v), width_s) for v, ops in operations.items()})
    all_bins = [b for found in bins for each in found.values() for b in each]
    all_cells = [c for found in cells for each in found.values() for c in each]
    for at, view in enumerate(shared):
        rates = outcomes.charts(view, bins[at], all_bins)
        waits = latency.charts(view, bins[at], cells[at], all_cells)
        named = [[replace(c, name=f"{letters[at]}-{c.name}", heat=None) for c in charts] for charts in (rates, waits)]
        drawn.append(dict(zip(view.variants, zip(*named, strict=True), strict=True)))
        view.forget()
    variants = dict.fromkeys(variant for found in drawn for variant in found)
    return [
        Beside(
            variant,
            [found[variant][0] if variant in found else None for found in drawn],
            [found[variant][1] if variant in found else None for found in drawn],
        )
        for variant in variants
    ]
