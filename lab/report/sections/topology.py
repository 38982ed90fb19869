"""The topology, with the edge that was broken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lab.report.topology import Drawing, drawing, faults_by_target
from lab.report.view import View

TITLE = "Topology"


@dataclass(frozen=True)
class Data:
    """The same drawing for a wide and for a narrow screen, and what is broken where."""

    across: Drawing
    down: Drawing
    broken: Sequence[tuple[str, str]]
    proxy: str
    text: str


def build(view: View) -> Data:
    """Always there."""
    spec = view.spec
    text = f"Load to {spec.load.to}. " + " ".join(f"{link.caller} calls {link.callee}." for link in spec.links)
    broken = sorted(faults_by_target(spec).items())
    return Data(drawing(spec), drawing(spec, down=True), broken, view.record.proxy, text)
