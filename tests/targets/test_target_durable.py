"""What is synced when: data before the name that leads to it, and on macOS by the call that reaches the disk."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import msgspec
import pytest

from targets.kit.durable import make_folder, sync
from targets.kit.journal import Journal
from targets.raft.outcomes import Save
from targets.raft.storage import Storage

needs_proc = pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc on this system")

F_FULLFSYNC = 51  # as on macOS


class Line(msgspec.Struct, frozen=True):
    """An entry."""

    text: str


def path_of(file: int) -> Path:
    """The path of an open file."""
    if hasattr(fcntl, "F_GETPATH"):  # macOS
        return Path(os.fsdecode(fcntl.fcntl(file, fcntl.F_GETPATH, bytes(1024)).rstrip(b"\0")))
    return Path(f"/proc/self/fd/{file}").readlink()


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files and folders that were synced, in order."""
    seen: list[Path] = []
    for name in {"fsync", "fdatasync"} & set(dir(os)):
        real = getattr(os, name)

        def watched(file: int, real: object = real) -> None:
            seen.append(path_of(file))
            real(file)  # type: ignore[operator]

        monkeypatch.setattr(os, name, watched)
    return seen


@needs_proc
def test_a_new_journal_is_synced_with_its_folders(tmp_path: Path, synced: list[Path]) -> None:
    """Each folder that was made is synced into the one above it, and the file's name before its first entry."""
    journal = Journal(tmp_path / "a" / "b" / "lines", Line)
    journal.append(Line("first"))
    journal.close()
    assert synced == [tmp_path, tmp_path / "a", tmp_path / "a" / "b", tmp_path / "a" / "b" / "lines"]


@needs_proc
def test_a_log_is_synced_before_it_gets_its_name(tmp_path: Path, synced: list[Path]) -> None:
    """A server's log is synced as `wal.new`, renamed, and its folder synced; each save after that syncs the file."""
    storage = Storage(tmp_path / "raft-1")
    storage.save(Save(1, None, 1))
    storage.close()
    folder = tmp_path / "raft-1"
    assert synced == [tmp_path, folder / "wal.new", folder, folder / "wal"]


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path, synced: list[Path]) -> None:
    """Nothing is made, so nothing needs to be synced."""
    make_folder(tmp_path)
    assert synced == []


@needs_proc
@pytest.mark.parametrize("full", [True, False], ids=["full", "refused"])
def test_macos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, synced: list[Path], full: bool) -> None:
    """Without fdatasync servers and journals still save, by F_FULLFSYNC, or by fsync where that is refused."""
    asked: list[int] = []

    def full_sync(file: int, command: int) -> int:
        asked.append(command)
        if not full:
            raise OSError(errno.ENOTSUP, "not supported")
        return 0

    monkeypatch.delattr(os, "fdatasync", raising=False)
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", F_FULLFSYNC, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", full_sync)
    storage = Storage(tmp_path)
    storage.save(Save(3, "raft-1", 1))
    storage.close()
    journal = Journal(tmp_path / "lines", Line)
    journal.append(Line("kept"))
    journal.close()
    assert set(asked) == {F_FULLFSYNC}
    assert bool(synced) is not full
    assert Storage(tmp_path).stored.voted_for == "raft-1"


def test_without_fdatasync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that has only fsync gets that."""
    called: list[int] = []
    monkeypatch.delattr(os, "fdatasync", raising=False)
    monkeypatch.delattr(fcntl, "F_FULLFSYNC", raising=False)
    monkeypatch.setattr(os, "fsync", called.append)
    with (tmp_path / "file").open("wb") as file:
        sync(file.fileno())
        assert called == [file.fileno()]
