"""Flame graphs: where each service spent its time, phase by phase, and what the pattern changed."""

from __future__ import annotations

import json
from dataclasses import dataclass

from lab.report.flame import Flames, flames
from lab.report.view import View

TITLE = "Flame graphs"


@dataclass(frozen=True)
class Data:
    """The graphs, None where the services were to be profiled and no profile is there, and the notes that say why."""

    flames: Flames | None
    services: list[str]
    notes: list[str]

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
