"""docs/writing-a-target.md does what it says: its files are written and its commands run, in order."""

from __future__ import annotations

from pathlib import Path

import pytest
from doc_pages import DOCS, copied, execute, untidy

pytestmark = [pytest.mark.e2e, pytest.mark.untraced]

PAGE = DOCS / "writing-a-target.md"


def bench(folder: Path) -> Path:
    """A copy of what a target's author works in."""
    names = ("targets", "tests/targets/conftest.py", "tests/targets/target_bench.py", "pyproject.toml")
    return copied(folder, *names)


@pytest.mark.e2e
def test_the_page_works_from_top_to_bottom(tmp_path: Path) -> None:
    """Each python block is a file that is written, each console block a command that says what the page shows."""
    assert execute(PAGE, bench(tmp_path)) == 3


def test_the_page_is_as_tidy_as_the_code(tmp_path: Path) -> None:
    """What the page shows passes the project's own linter and formatter."""
    assert untidy(PAGE, bench(tmp_path)) == ""
