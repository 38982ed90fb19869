"""The mark of what the targets' image is built from."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lab.kit.places import ROOT
from lab.runtime.compose.sources import mark

pytestmark = pytest.mark.e2e


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with targets of its own."""
    shutil.copytree(ROOT / "targets", tmp_path / "targets", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_the_same_code_has_the_same_mark_wherever_it_is(folder: Path) -> None:
    """Two folders with the same targets share an image; what Python leaves beside them does not count."""
    (folder / "targets" / "__pycache__").mkdir()
    (folder / "targets" / "__pycache__" / "payments.cpython-311.pyc").write_bytes(b"compiled")
    assert mark(folder) == mark(ROOT)


@pytest.mark.parametrize("name", ["payments.py", "kit/__init__.py", "requirements.lock", "Dockerfile"])
def test_a_change_to_whatever_is_in_the_image_has_another(folder: Path, name: str) -> None:
    """Code, packages and the recipe count; a renamed file does too."""
    before = mark(folder)
    file = folder / "targets" / name
    file.write_text(file.read_text("utf-8") + "#\n", "utf-8")
    changed = mark(folder)
    file.rename(file.with_name("another.py"))
    assert len({before, changed, mark(folder)}) == 3
