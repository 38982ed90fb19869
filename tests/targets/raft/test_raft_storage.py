"""The persistent state on real files: what was saved is found again, and only what a crash can do is forgiven."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from threading import Event, Thread

import pytest

from targets.kit.durable import ClosedFile
from targets.raft.log import Snapshot
from targets.raft.messages import Entry, Register
from targets.raft.outcomes import Save, Stored
from targets.raft.storage import CorruptData, Storage

pytestmark = pytest.mark.e2e


def entries(*terms: int) -> tuple[Entry, ...]:
    """Entries of these terms, each with a command of its own."""
    return tuple(Entry(term, Register(f"{term}-{n}")) for n, term in enumerate(terms))


def saved(directory: Path, saves: Sequence[Save]) -> Stored:
    """What is found after these saves."""
    storage = Storage(directory)
    for save in saves:
        storage.save(save)
    storage.close()
    return found(directory)


def found(directory: Path) -> Stored:
    """What a new start finds."""
    storage = Storage(directory)
    storage.close()
    return storage.stored


def test_empty(tmp_path: Path) -> None:
    """A new server has term 0, no vote and no entries."""
    assert found(tmp_path / "new") == Stored()


def test_saves(tmp_path: Path) -> None:
    """Term, vote and log are found as the last save left them, with the conflicting end of the log gone."""
    first, second = entries(1, 1, 1), entries(2, 2)
    stored = saved(tmp_path, [Save(1, "s1", 1, first), Save(2, None, 4), Save(2, "s2", 2, second)])
    assert stored == Stored(2, "s2", Snapshot(), (first[0], *second))
    assert found(tmp_path) == stored


@pytest.mark.parametrize("torn", [b"\x00", b"\x00\x00\x00\x09", b"\x00\x00\x00\x09\x01\x02\x03\x04abc", bytes(64)])
def test_torn_end(tmp_path: Path, torn: bytes) -> None:
    """The beginning of a record that was never whole is dropped, and saving goes on in its place."""
    stored = saved(tmp_path, [Save(1, "s1", 1, entries(1))])
    with (tmp_path / "wal").open("ab") as wal:
        wal.write(torn)
    assert found(tmp_path) == stored
    assert len(saved(tmp_path, [Save(1, "s1", 2, entries(1))]).entries) == 2


def test_every_torn_length(tmp_path: Path) -> None:
    """Cut anywhere within the last record, the file gives the state before it."""
    before = saved(tmp_path, [Save(1, "s1", 1, entries(1, 1))])
    whole = (tmp_path / "wal").read_bytes()
    saved(tmp_path, [Save(2, None, 3, entries(2))])
    torn = (tmp_path / "wal").read_bytes()
    storage = Storage(tmp_path)  # one record now, as on each opening
    storage.save(Save(3, "s3", 4, entries(3)))
    storage.close()
    longer = (tmp_path / "wal").read_bytes()
    for size in range(len(torn), len(longer)):
        (tmp_path / "wal").write_bytes(longer[:size])
        assert found(tmp_path).current_term == 2
    (tmp_path / "wal").write_bytes(whole)
    assert found(tmp_path) == before


def test_damage_before_good_records(tmp_path: Path) -> None:
    """Damage that good records follow is no torn end: the server refuses to forget what it has promised."""
    storage = Storage(tmp_path)
    for n in range(3):
        storage.save(Save(1, "s1", n + 1, entries(1)))
    storage.close()
    data = bytearray((tmp_path / "wal").read_bytes())
    data[10] ^= 0xFF
    (tmp_path / "wal").write_bytes(data)
    with pytest.raises(CorruptData, match="whole records follow"):
        Storage(tmp_path)


def test_snapshot(tmp_path: Path) -> None:
    """A snapshot replaces the beginning of the log, and what follows it is kept."""
    snapshot = Snapshot(3, 1, b"state")
    stored = saved(tmp_path, [Save(1, None, 1, entries(1, 1, 1)), Save(2, "s1", 4, entries(2), snapshot)])
    assert stored == Stored(2, "s1", snapshot, entries(2))
    assert saved(tmp_path, [Save(2, "s1", 5, entries(2, 2))]).entries == (*entries(2), *entries(2, 2))


@pytest.mark.parametrize(
    ("log", "index", "term", "kept"),
    [((1, 1, 2), 2, 1, 1), ((1, 1, 2), 2, 9, 0), ((1, 1), 5, 9, 0)],
    ids=["belongs", "conflicts", "beyond"],
)
def test_crash_between_snapshot_and_log(tmp_path: Path, log: tuple[int, ...], index: int, term: int, kept: int) -> None:
    """A new snapshot beside an old log is understood: entries stay only if they follow it."""
    saved(tmp_path, [Save(2, "s1", 1, entries(*log))])
    old_log = (tmp_path / "wal").read_bytes()
    saved(tmp_path, [Save(9, "s2", index + 1, (), Snapshot(index, term, b"state"))])
    (tmp_path / "wal").write_bytes(old_log)
    stored = found(tmp_path)
    assert len(stored.entries) == kept
    assert (stored.current_term, stored.voted_for) == ((9, None) if term == 9 else (2, "s1"))
    saved(tmp_path, [Save(9, "s2", index + 1 + kept, entries(9))])
    assert len(found(tmp_path).entries) == kept + 1


def test_lost_or_damaged_snapshot(tmp_path: Path) -> None:
    """A log that begins after a snapshot that is not there, or not whole, is not started from."""
    saved(tmp_path, [Save(1, None, 4, entries(1), Snapshot(3, 1, b"state"))])
    whole = (tmp_path / "snapshot").read_bytes()
    (tmp_path / "snapshot").write_bytes(whole[:-1])
    with pytest.raises(CorruptData, match="damaged"):
        Storage(tmp_path)
    (tmp_path / "snapshot").unlink()
    with pytest.raises(CorruptData, match="missing or old"):
        Storage(tmp_path)


@pytest.mark.parametrize(
    "left", [b"", b"\x00\x00\x00\x09\x01\x02\x03\x04abc", None], ids=["empty", "damaged", "missing"]
)
def test_lost_first_record(tmp_path: Path, left: bytes | None) -> None:
    """A log without its first record is not taken for a new server's: the vote and entries that were in it count."""
    saved(tmp_path, [Save(1, "s1", 2, (), Snapshot(1, 1, b"state"))])
    (tmp_path / "wal").unlink()
    if left is not None:
        (tmp_path / "wal").write_bytes(left)
    with pytest.raises(CorruptData, match="first record"):
        Storage(tmp_path)


def test_damage_is_no_reason_to_start_empty(tmp_path: Path) -> None:
    """The message says what is safe: to leave the server stopped, and its directory as it is."""
    saved(tmp_path, [Save(1, "s1", 1, entries(1))])
    (tmp_path / "wal").write_bytes(b"")
    with pytest.raises(CorruptData, match=f"Leave this server stopped.*Do not empty {tmp_path}"):
        Storage(tmp_path)


@pytest.mark.parametrize("snapshot", [None, Snapshot(1, 1, b"state")], ids=["log", "snapshot"])
def test_close_waits_for_a_save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, snapshot: Snapshot | None) -> None:
    """A server that is stopped while a save is under way closes its files after it, and refuses each later save."""
    storage = Storage(tmp_path)
    begun, go_on, order = Event(), Event(), list[str]()
    write = os.write

    def slow(file: int, content: bytes) -> int:
        begun.set()
        assert go_on.wait(10)
        return write(file, content)

    def save() -> None:
        storage.save(Save(1, "s1", 2 if snapshot else 1, entries(1), snapshot))
        order.append("saved")

    def close() -> None:
        storage.close()
        order.append("closed")

    monkeypatch.setattr("targets.kit.durable.os.write", slow)
    threads = [Thread(target=save), Thread(target=close)]
    threads[0].start()
    assert begun.wait(10)
    threads[1].start()
    threads[1].join(0.05)  # time for a close that waits for nothing to do its harm
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert order == ["saved", "closed"]
    with pytest.raises(ClosedFile, match="nothing was saved"):
        storage.save(Save(2, None, 2))
    assert found(tmp_path).current_term == 1
