"""A dashboard's queries as a run can put them to its own Prometheus, which is gone when the run is over."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from lab.dashboards.aligned import TITLE as ALIGNED
from lab.kit.places import ROOT

FOLDER = ROOT / "dashboards" / "json"
RANGE_S = 4.0  # what Grafana makes of $__rate_interval where samples are 1 s apart
# What Grafana would put into its variables: the run, every variant, four scrapes.
CHOSEN = {'run="$run"': 'run!=""', "$variant": ".+", "$__rate_interval": f"{RANGE_S:g}s"}
RUNS = "Runs"  # asks about all runs; no single one can answer


@dataclass(frozen=True)
class Query:
    """One query of a panel; `key` names it among the panels of a run."""

    panel: Mapping[str, Any]
    expr: str
    legend: str

    @property
    def key(self) -> str:
        """The same for the same question, wherever it stands."""
        return sha256(f"{self.expr} {self.legend}".encode()).hexdigest()[:16]


def all_panels(scenario: str) -> Iterator[tuple[Mapping[str, Any], list[Query]]]:
    """Each panel of an experiment's dashboard with its queries about a run; rows too."""
    whole = json.loads((FOLDER / f"{scenario}.json").read_text("utf-8"))
    for panel in whole["panels"]:
        targets = panel.get("targets", ()) if panel["title"] != RUNS else ()
        yield panel, [Query(panel, _chosen(one["expr"]), one["legendFormat"]) for one in targets]


def panels(scenario: str) -> Iterator[tuple[Mapping[str, Any], list[Query]]]:
    """The same without what moves variants in time: an episode's own queries know no other episode."""
    row = ""
    for panel, queries in all_panels(scenario):
        row = panel["title"] if panel["type"] == "row" else row
        if row != ALIGNED:
            yield panel, queries


def scenario_that_asks(file: Path, name: str) -> str:
    """The text of a scenario whose panels are, besides its own, those of its dashboard."""
    asked = {query.key: (query.key, query.expr, "short", query.legend) for _, each in panels(name) for query in each}
    return (
        file.read_text("utf-8")
        + "\n\nfrom dataclasses import replace\n\nfrom lab import Panel\n\n"
        + f"asked = [Panel(*each) for each in {[*asked.values()]!r}]\n"
        + "scenario = replace(scenario, panels=[*scenario.panels, *asked])\n"
    )


def _chosen(expr: str) -> str:
    for variable, value in CHOSEN.items():
        expr = expr.replace(variable, value)
    return expr
