"""Servers get programs by a path that their user can pass: the folder's own, or a copy; never a link out of reach."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab.runtime import unprivileged
from lab.runtime.backing import postgres
from lab.runtime.credentials import Credentials
from lab.runtime.tools import Program
from lab.runtime.unprivileged import copy_as_theirs, give, within_reach

pytestmark = pytest.mark.e2e

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


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


@as_root
def test_what_a_link_leads_to_is_not_given_away(tmp_path: Path) -> None:
    """A server's user owns the folder, and could replace the file between its writing and its change of owner."""
    (tmp_path / "precious").write_text("root's")
    (tmp_path / "redis.conf").symlink_to(tmp_path / "precious")
    give(tmp_path / "redis.conf")
    assert (tmp_path / "precious").stat().st_uid == 0
    assert (tmp_path / "redis.conf").lstat().st_uid != 0


def template(folder: Path) -> Path:
    """Data as a server makes them, with a link to what only root may read."""
    (folder / "base" / "1").mkdir(parents=True)
    (folder / "base" / "1" / "pg_class").write_text("rows")
    (folder / "PG_VERSION").write_text("15")
    (folder.parent / "shadow").write_text("secret")
    (folder / "link").symlink_to(folder.parent / "shadow")
    (folder / "folder").symlink_to(folder.parent)
    return folder


def test_a_copy_holds_nothing_that_a_link_leads_to(tmp_path: Path) -> None:
    """It was read as root, and put where the servers' user reads it."""
    (tmp_path / "theirs").mkdir()
    copy_as_theirs(template(tmp_path / "initdb-template"), tmp_path / "theirs" / "cluster")
    found = {str(path.relative_to(tmp_path / "theirs")) for path in (tmp_path / "theirs").rglob("*")}
    inside = ("PG_VERSION", "base", "base/1", "base/1/pg_class", "folder", "link")
    assert found == {"cluster", *(f"cluster/{name}" for name in inside)}
    assert (tmp_path / "theirs" / "cluster" / "link").is_symlink()
    assert (tmp_path / "theirs" / "cluster" / "folder").is_symlink()
    assert {path.name for path in tmp_path.iterdir()} == {"initdb-template", "theirs", "shadow"}


@as_root
def test_root_copies_and_gives_where_only_root_makes_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder of theirs a link could lie in the way of each next file, and root would write and give beyond it."""
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    give(theirs)
    touched: list[str] = []

    def only_where_root_is(call: Any, position: int) -> Any:
        def checked(*words: Any, **options: Any) -> Any:
            path = Path(words[position])
            assert all(folder.stat().st_uid == 0 for folder in path.parents), path
            touched.append(path.name)
            return call(*words, **options)

        return checked

    monkeypatch.setattr(shutil, "copyfile", only_where_root_is(shutil.copyfile, 1))
    monkeypatch.setattr(os, "chown", only_where_root_is(os.chown, 0))
    copy_as_theirs(template(tmp_path / "initdb-template"), theirs / "cluster")
    files = ["PG_VERSION", "pg_class"]
    assert sorted(touched) == sorted([*files, *files, "base", "1", "cluster", "folder", "link"])
    monkeypatch.undo()
    assert {path.lstat().st_uid for path in (theirs / "cluster", *(theirs / "cluster").rglob("*"))} == {
        theirs.stat().st_uid
    }


def test_what_makes_a_cluster_is_not_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell of root's wrote pg_hba.conf into a folder of theirs; only the passwords are opened before the change."""
    monkeypatch.setattr(postgres, "as_nobody", lambda: ["as-nobody"])
    programs = {name: Program(name, Path("/bin") / name) for name in ("initdb", "postgres")}
    ground: Any = SimpleNamespace(shared=tmp_path, programs=programs, credentials=Credentials.fresh())
    argv = postgres._make(ground, tmp_path / "draft").argv
    before = argv[: argv.index("as-nobody")]
    assert before == ["sh", "-c", 'script=$1; shift; exec "$@" <"$script"', "sh", tmp_path / "postgres-roles.sql"]
    assert (tmp_path / "postgres-roles.sql").stat().st_mode & 0o777 == 0o600
