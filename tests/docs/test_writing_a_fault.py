"""docs/writing-a-fault.md does what it says: its files are written and its commands run, in order."""

from __future__ import annotations

from pathlib import Path

import pytest
from doc_pages import DOCS, blocks, copied, execute, untidy

pytestmark = [pytest.mark.e2e, pytest.mark.untraced]

PAGE = DOCS / "writing-a-fault.md"


def bench(folder: Path) -> Path:
    """A copy of what a fault's author works in."""
    return copied(folder, "lab", "targets", "tests/faults", "pyproject.toml", "tests/conftest.py", "tests/turns.py")


@pytest.mark.e2e
def test_the_page_works_from_top_to_bottom(tmp_path: Path) -> None:
    """Each python block is a file, each diff a change to one, each console block a command that says what is shown."""
    assert len(blocks(PAGE)) == 8
    assert execute(PAGE, bench(tmp_path), {"PYTHONPATH": str(tmp_path)}) == 3


def test_the_page_is_as_tidy_as_the_code(tmp_path: Path) -> None:
    """What the page shows passes the project's own linter and formatter."""
    assert untidy(PAGE, bench(tmp_path), "D100") == ""
