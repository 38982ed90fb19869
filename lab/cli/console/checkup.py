"""The doctor's findings in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from lab.cli.console.shapes import Cell, dim, lines, list_of, put
from lab.kit.screen import console

if TYPE_CHECKING:
    from lab.run.doctor import Finding

ROOMY = 110  # columns; from here on what a part is for stands beside it even where nothing is wrong


def findings(found: Sequence[Finding]) -> None:
    """Print what the doctor found, and at the end whether experiments can run."""
    to = console()
    rows: list[Sequence[Cell]] = []
    for finding in found:
        if finding.ok:
            sign = Text.assemble(("✓", "green"), f" {finding.name}")
            rows.append((sign, finding.found, dim(finding.purpose)))
        else:
            sign = Text.assemble(("✗", "bold red") if finding.needed else ("-", "yellow"), f" {finding.name}")
            rows.append((sign, lines(finding.found, f"remedy: {finding.remedy}"), dim(finding.purpose)))
    if to.width < ROOMY:
        rows = [_folded(finding, row) for finding, row in zip(found, rows, strict=True)]
    put(to, list_of(rows), "", _conclusion(found))


def _folded(finding: Finding, row: Sequence[Cell]) -> Sequence[Cell]:
    """What a part is for stands below it, and only where it is missing."""
    return row[:2] if finding.ok else (row[0], lines(row[1], dim(f"for: {finding.purpose}")))


def _conclusion(found: Sequence[Finding]) -> Text:
    needed = [finding.name for finding in found if finding.needed and not finding.ok]
    spare = [finding.name for finding in found if not finding.needed and not finding.ok]
    without = f" Not here, and only needed for some things: {', '.join(spare)}." if spare else ""
    if needed:
        verb = "needs" if len(needed) == 1 else "need"
        return Text.assemble(
            (f"✗ {', '.join(needed)} {verb} mending before experiments can be trusted.", "bold red"), without
        )
    return Text.assemble(("✓ Experiments can run here.", "bold green"), without)
