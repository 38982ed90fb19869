"""A section of the handbook in the terminal: what it says, and the experiments that serve it or a section below."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from rich.text import Text

from lab.catalogue import Entry, chapters, handbook
from lab.cli.console.data import catalogue_data, last_verdict
from lab.cli.console.shapes import Cell, dim, lines, list_of, mark, put, table
from lab.errors import LabError
from lab.kit.screen import console

NUMBER = re.compile(r"\d+(\.\d+)*")


def section(number: str, entries: Sequence[Entry], reports: Path) -> None:
    """Print a section. Raises LabError where the handbook has none of that number."""
    to, known = console(), _known(number)
    put(to, Text.assemble((f"{number}  ", "dim"), (known[number].title, "bold")), "")
    for paragraph in chapters.read().get(number, ()):
        put(to, Text(paragraph), "")
    rows: list[list[Cell]] = []
    for entry, at in _serving(number, entries):
        last = last_verdict(reports, entry.name)
        question = lines(entry.scenario.question, dim(", ".join(at)))
        rows.append([entry.name, question, mark(last) if last else dim("not run yet")])
    if not rows:
        put(to, f"No experiment serves {number} yet; `make list` shows those that are there.")
        return
    put(to, table(to, ["name", "question", "last verdict"], rows, fixed=(0, 2)), "")
    put(to, list_of([(dim("see one"), dim(f"make show NAME={rows[0][0]}"))]))


def section_data(number: str, entries: Sequence[Entry], reports: Path) -> dict[str, Any]:
    """A section for a machine. Raises LabError where the handbook has none of that number."""
    return {
        "section": number,
        "title": _known(number)[number].title,
        "text": list(chapters.read().get(number, ())),
        "experiments": catalogue_data([entry for entry, _ in _serving(number, entries)], reports, runs=False),
    }


def _known(number: str) -> Mapping[str, handbook.Section]:
    known = handbook.sections()
    if number not in known:
        close = get_close_matches(number, known, n=1)
        raise LabError(f"the handbook has no section {number}" + (f"; did you mean {close[0]}?" if close else ""))
    return known


def _serving(number: str, entries: Sequence[Entry]) -> Iterator[tuple[Entry, list[str]]]:
    """The experiments of a section and of those below it, with the sections that they serve there."""
    for entry in entries:
        if at := [each for each in entry.scenario.sections if each == number or each.startswith(f"{number}.")]:
            yield entry, at
