"""Receipts: that each fault was asked, was read back, and arrived."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lab.record import ActionReceipt, Probe, Receipt
from lab.report import findings
from lab.report.aggregate import bin_s, probe_bins
from lab.report.charts.canary import chart
from lab.report.charts.render import Chart
from lab.report.view import View

TITLE = "Receipts"
SHOWN = 6
MAX_CANARIES = 4  # drawn; a partition of five servers has twenty links, and the receipts count the probes of all


@dataclass(frozen=True)
class Row:
    """A receipt in one pass."""

    variant: str
    trial: int
    receipt: Receipt


@dataclass(frozen=True)
class Done:
    """An action in one pass."""

    variant: str
    trial: int
    receipt: ActionReceipt


@dataclass(frozen=True)
class Canary:
    """The probes at one target, a chart a variant."""

    target: str
    charts: Sequence[Chart]
    says: str


@dataclass(frozen=True)
class Data:
    """`never` names faults that were asked and have no receipt at all, `undrawn` targets whose canary has no chart."""

    rows: Sequence[Row]
    never: Sequence[str]
    canaries: Sequence[Canary]
    undrawn: Sequence[str]
    trials: int
    actions: Sequence[Done] = ()

    @property
    def shown(self) -> list[Row]:
        """Those not in force, and the first of the others."""
        missing = [row for row in self.rows if not row.receipt.dose.in_force]
        return missing + [row for row in self.rows if row.receipt.dose.in_force][:SHOWN]

    @property
    def folded(self) -> list[Row]:
        """The rest of those that were in force: what six of them do not tell, the thirtieth will not either."""
        return [row for row in self.rows if row.receipt.dose.in_force][SHOWN:]

    @property
    def charts(self) -> list[Chart]:
        """All charts of the section."""
        return [chart for canary in self.canaries for chart in canary.charts]


def build(view: View) -> Data | None:
    """None where the scenario breaks nothing and does nothing."""
    if not any(phase.faults for phase in view.spec.phases) and not view.spec.actions:
        return None
    rows = [Row(e.variant, e.trial, receipt) for e in view.record.episodes for receipt in e.receipts]
    never = [
        f"{fault.text} in {phase.name} of {variant}"
        for variant in view.variants
        for phase in view.spec.phases
        for fault in phase.faults
        if any(window.name == phase.name for window in view.phases(variant))
        and not any(r.fault == fault and r.phase == phase.name for r in view.episode(variant).receipts)
    ]
    probes = {variant: view.run.probes(variant, view.trial) for variant in view.variants}
    targets = sorted({p.target for found in probes.values() for p in found})
    drawn, undrawn = targets[:MAX_CANARIES], targets[MAX_CANARIES:]
    actions = [Done(e.variant, e.trial, receipt) for e in view.record.episodes for receipt in e.actions]
    return Data(rows, never, _canaries(view, probes, drawn), undrawn, view.record.trials, actions)


def _canaries(view: View, probes: Mapping[str, Sequence[Probe]], targets: Sequence[str]) -> list[Canary]:
    width_s = bin_s(view.end_s) / 2
    canaries = []
    for k, target in enumerate(targets):
        bins = {
            variant: probe_bins([p for p in found if p.target == target], view.end_s, width_s)
            for variant, found in probes.items()
        }
        seen = [b.p50_ms for found in bins.values() for b in found if b.p50_ms is not None]
        domain = (min(seen, default=1.0) / 1.5, max(seen, default=10.0) * 1.5)
        charts = [chart(view, variant, k + 1, target, bins[variant], domain) for variant in view.variants]
        canaries.append(Canary(target, charts, findings.canary(bins)))
    return canaries
