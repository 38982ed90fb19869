"""docs/architecture.md draws the house as it stands."""

from __future__ import annotations

import re

import pytest
from doc_pages import DOCS, ROOT

pytestmark = pytest.mark.untraced

PAGE = DOCS / "architecture.md"


def test_every_room_is_on_the_plan() -> None:
    """Each file and folder of `lab/` has its line, and no line is for one that is gone."""
    plan = PAGE.read_text("utf-8").partition("```\n")[2].partition("```")[0]
    lab = plan.partition("lab/ ")[2].partition("\nscenarios/")[0]
    drawn = {name for line in lab.splitlines()[1:] for name in re.findall(r"\w+\.py|\w+/", line[:21])}
    there = {path.name for path in (ROOT / "lab").glob("[!_]*.py")}
    there |= {f"{path.parent.name}/" for path in (ROOT / "lab").glob("*/__init__.py")}
    assert drawn == there


def test_every_decision_is_in_the_list() -> None:
    """Each ADR is linked from the list of decisions under its own title."""
    index = (DOCS / "adr" / "README.md").read_text("utf-8")
    linked = dict(re.findall(r"^\| \[\d{4}\]\((\S+)\) \| (.+) \|$", index, re.MULTILINE))
    files = sorted((DOCS / "adr").glob("0*.md"))
    titles = {file.name: file.read_text("utf-8").splitlines()[0].partition(": ")[2] for file in files}
    assert linked == titles


def test_decisions_name_files_that_are_there() -> None:
    """A path below lab/ or tests/ that a decision or the architecture names exists."""
    for page in [PAGE, *(DOCS / "adr").glob("*.md")]:
        for path in re.findall(r"`((?:lab|tests|benchmarks|scripts)/[\w/.]+)`", page.read_text("utf-8")):
            assert (ROOT / path).exists(), f"{page.name}: {path}"
