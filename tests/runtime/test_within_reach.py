"""Servers get programs by a path that their user can pass: the folder's own, or a copy; never a link out of reach."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.runtime import unprivileged
from lab.runtime.tools import Program
from lab.runtime.unprivileged import within_reach


@pytest.fixture(autouse=True)
def closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing below a folder called `closed` can be reached, as where only root may pass."""
    monkeypatch.setattr(unprivileged, "in_reach", lambda path: "closed" not in path.parts)


def tree(folder: Path) -> Path:
    """A program with a library of its own."""
    for name in ("usr/bin/server", "usr/lib/x86_64-linux-gnu/libown.so.1"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def program(root: Path) -> Program:
    """The same as `Tools` finds it."""
    return Program("server", root / "usr/bin/server", {"LD_LIBRARY_PATH": f"{root}/usr/lib/x86_64-linux-gnu"}, root)


def test_a_link_out_of_reach_is_not_the_way_to_a_folder_in_reach(tmp_path: Path) -> None:
    """Neither for the program nor for its libraries: a program that starts and cannot load them ends at once."""
    real = tree(tmp_path / "open" / "redis-server")
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed" / "redis-server").symlink_to(real)
    found = within_reach({"server": program(tmp_path / "closed" / "redis-server")}, tmp_path / "copies")["server"]
    assert (found.path, found.env) == (program(real).path, program(real).env)
    assert not (tmp_path / "copies").exists()


def test_a_folder_out_of_reach_is_copied_whatever_link_leads_to_it(tmp_path: Path) -> None:
    """With its libraries, which the copy's environment names."""
    real = tree(tmp_path / "closed" / "redis-server")
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "redis-server").symlink_to(real)
    found = within_reach({"server": program(tmp_path / "open" / "redis-server")}, tmp_path / "copies")["server"]
    copy = tmp_path / "copies" / "redis-server"
    assert (found.path, found.env) == (program(copy).path, program(copy).env)
    assert (copy / "usr/lib/x86_64-linux-gnu/libown.so.1").is_file()


def test_a_program_alone_likewise(tmp_path: Path) -> None:
    """One that was built and has no folder of its own."""
    real = tree(tmp_path / "open") / "usr/bin/server"
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed" / "bin").symlink_to(real.parent)
    found = within_reach({"server": Program("server", tmp_path / "closed/bin/server")}, tmp_path / "copies")["server"]
    assert found.path == real
