"""Flame graphs: where each service spent its time, phase by phase, and what the pattern changed."""

from __future__ import annotations

import json
from dataclasses import dataclass

from lab.report.flame import Flames, flames
from lab.report.numbers import percent
from lab.report.view import View

TITLE = "Flame graphs"
TELLS = 0.01


@dataclass(frozen=True)
class Data:
    """The graphs, None where the services were to be profiled and no profile is there, and the notes that say why."""

    flames: Flames | None
    services: list[str]
    notes: list[str]

    @property
    def says(self) -> str:
        """The function whose own share changed most from the first variant to the last, and where."""
        if self.flames is None or len(self.flames.variants) < 2:
            return ""
        changes = [(abs(f.change), f, graph) for graph in self.flames.graphs for f in graph.top]
        if not changes:
            return ""
        most, top, graph = max(changes, key=lambda each: each[0])
        where = f"{graph.service} in {graph.phase}"
        first, last = self.flames.variants[0], self.flames.variants[-1]
        if most < TELLS:
            return f"No function's own share of the samples differs by 1 percentage point between {first} and {last}."
        shares = f"{percent(top.shares[0])} of the samples in {first} and {percent(top.shares[-1])} in {last}"
        return f"Most changed: {top.name} of {where}, {shares}."

    @property
    def json(self) -> str:
        """What the script in the page draws from."""
        if self.flames is None:
            return ""
        graphs = [
            {"service": f.service, "phase": f.phase, "samples": f.samples, "root": f.root} for f in self.flames.graphs
        ]
        wanted = {"variants": self.flames.variants, "names": self.flames.names, "graphs": graphs}
        return json.dumps(wanted, separators=(",", ":"))


def build(view: View) -> Data | None:
    """None where no service was to be profiled."""
    if not view.spec.profile:
        return None
    return Data(flames(view), view.spec.profile, view.notes_on("profile", "py-spy"))
