"""The scenario's Prometheus panels, every variant on the same axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lab.record import PanelSpec
from lab.report import findings, series
from lab.report.charts.panels import MAX_SERIES, Samples, charts
from lab.report.charts.render import Chart
from lab.report.view import View

TITLE = "Prometheus panels"


@dataclass(frozen=True)
class Panel:
    """One panel: its charts, the series drawn in order of colour, and how many more there were.

    `window` says over how long its points are a mean, `says` what it shows; `flat`: one value, everywhere.
    """

    spec: PanelSpec
    charts: Sequence[Chart]
    series: Sequence[str]
    left_out: int
    window: str
    says: str
    flat: bool


@dataclass(frozen=True)
class Data:
    """Panels with samples, the titles of those without, and the notes that say why."""

    panels: Sequence[Panel]
    empty: Sequence[str]
    notes: Sequence[str]

    @property
    def charts(self) -> list[Chart]:
        """All charts of the section."""
        return [chart for panel in self.panels for chart in panel.charts]


def build(view: View) -> Data | None:
    """None where the scenario has no panels."""
    if not view.spec.panels:
        return None
    samples = _samples(view)
    panels, empty = [], []
    for k, spec in enumerate(view.spec.panels):
        found = {
            variant: series.exact(
                spec, samples.get((spec.title, variant), {}), view.events(variant), view.ended_s(variant)
            )
            for variant in view.variants
        }
        names = sorted({name for by_name in found.values() for name in by_name})
        if not names:
            empty.append(spec.title)
            continue
        names = _moving(spec, found, names)
        called = series.shown(names, spec.title)
        found = {variant: series.renamed(by_name, called) for variant, by_name in found.items()}
        drawn, left_out = [called[name] for name in names[:MAX_SERIES]], max(0, len(names) - MAX_SERIES)
        panels.append(
            Panel(
                spec,
                charts(view, k + 1, spec, found, drawn, exact=series.is_exact(spec, view)),
                drawn,
                left_out,
                series.window(spec),
                findings.panel(view, spec, found, drawn),
                findings.is_flat(found, drawn),
            )
        )
    return Data(panels, empty, view.notes_on("Prometheus", "panel"))


def _moving(spec: PanelSpec, found: Mapping[str, Samples], names: list[str]) -> list[str]:
    """Of a panel of rates, the series that did not stay at 0: each answer that could come is there, few did."""
    if "rate(" not in spec.expr:
        return names
    moved = [name for name in names if any(v for by_name in found.values() for _, v in by_name.get(name, ()))]
    return moved or names


def _samples(view: View) -> dict[tuple[str, str], Samples]:
    """Samples of the drawn trial by panel, variant and series, each where in time it belongs."""
    found: dict[tuple[str, str], dict[str, list[tuple[float, float]]]] = {}
    for row in view.run.table("series").sort_by("at_s").to_pylist():
        if row["trial"] == view.trial and row["value"] is not None and row["value"] == row["value"]:
            by_name = found.setdefault((row["panel"], row["variant"]), {})
            by_name.setdefault(row["series"] or "", []).append((row["at_s"], row["value"]))
    specs = {spec.title: spec for spec in view.spec.panels}
    return {
        (title, variant): {name: series.placed(specs[title], samples) for name, samples in by_name.items()}
        for (title, variant), by_name in found.items()
        if title in specs
    }
