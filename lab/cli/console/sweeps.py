"""A sweep in the terminal: what each claim does over the knob, and where the curves are."""

from __future__ import annotations

from pathlib import Path

from rich.text import Text

from lab.catalogue import shown
from lab.cli.console.shapes import Cell, dim, lines, link, list_of, mark, put, table
from lab.kit.screen import console
from lab.report.sweep import Curve, Swept, curves


def sweep(swept: Swept, page: Path) -> None:
    """Print a line for each claim that the knob touches, the verdict of each point, and the report."""
    to = console()
    rows: list[list[Cell]] = [
        [lines(curve.claim.text, dim(_where(curve))), curve.finding] for curve in curves(swept) if curve.turned
    ]
    put(to, "", table(to, ["claim", f"over {swept.knob}"], rows), "")
    verdicts = [
        (value, mark(run.record.judgement.verdict) if run.record.judgement else dim("not judged"))
        for value, run in swept.runs
    ]
    put(to, list_of(verdicts, 2))
    put(to, Text("  report  ").append_text(link(page, shown(page))), whole_lines=True)


def _where(curve: Curve) -> str:
    kind = " (control: must hurt)" if curve.claim.control else " (price)" if curve.claim.price else ""
    return f"{curve.claim.variant}, {curve.claim.phase}{kind}"
