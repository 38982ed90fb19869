"""
The persistent state on disk: a write-ahead log of saves, and the snapshot beside it.

    DATA_DIR/wal        records, one a save: length and CRC-32 of the payload (both 32 bit, big endian), payload
    DATA_DIR/snapshot   one such record

A save is one record, so that a crash can tear only the last. A snapshot replaces both files, each by rename.
"""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from threading import Lock

import msgspec
from msgspec import Struct

from targets.kit.durable import ClosedFile, make_folder, sync, sync_folder, write_all
from targets.raft.log import Log, Snapshot
from targets.raft.messages import Entry
from targets.raft.outcomes import Save, Stored

_HEAD = struct.Struct(">II")


class CorruptData(Exception):
    """A file holds what no crash leaves behind: to start from it could undo what this server has acknowledged."""

    def __init__(self, what: str, directory: Path) -> None:
        super().__init__(
            f"{what}. Leave this server stopped: the cluster goes on while a majority of its members runs. Do not "
            f"empty {directory}: a member that has forgotten its vote and its entries can elect a leader that lacks "
            "acknowledged writes, and this Raft cannot replace a member by a new one"
        )


class _Record(Struct, frozen=True, array_like=True):
    current_term: int
    voted_for: str | None
    first_index: int
    entries: tuple[Entry, ...]


class Storage:
    """The files of one server. Open it, take `stored`, then `save` each change; blocking, so call it in a thread.

    Without `synced` it is a control of experiments: nothing is kept but by the page cache.
    """

    def __init__(self, directory: Path, synced: bool = True) -> None:
        self._sync = sync if synced else _not
        self._sync_folder = sync_folder if synced else _not
        make_folder(directory)
        self._directory = directory
        self._lock = Lock()  # `close` waits for a `save` in another thread: the number of a closed file is reused
        self._wal: int | None = None
        self.stored = stored = _load(directory)
        # Written anew: what a crash tore was never answered for, and what the snapshot covers may go.
        first = stored.snapshot.last_included_index + 1
        self._wal = self._replace("wal", _framed(_Record(stored.current_term, stored.voted_for, first, stored.entries)))

    def save(self, save: Save) -> None:
        """Keep a change; on return it will outlive a power cut. Raises OSError, ClosedFile."""
        record = _framed(_Record(save.current_term, save.voted_for, save.first_index, save.entries))
        with self._lock:
            if self._wal is None:
                raise ClosedFile(f"{self._directory / 'wal'} is closed: nothing was saved")
            if save.snapshot is None:
                write_all(self._wal, record)
                self._sync(self._wal)
                return
            # In this order: the new snapshot with the old log is a state that `_load` understands, the reverse is not.
            os.close(self._replace("snapshot", _framed(save.snapshot)))
            old, self._wal = self._wal, self._replace("wal", record)
            os.close(old)

    def close(self) -> None:
        """Release the files, once a `save` that has begun is done; after that each `save` is refused."""
        with self._lock:
            if self._wal is not None:
                os.close(self._wal)
                self._wal = None

    def _replace(self, name: str, content: bytes) -> int:
        """Give a file new content, all of it or none, and return it open."""
        path = self._directory / f"{name}.new"
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            write_all(file, content)
            self._sync(file)
            path.replace(self._directory / name)
            self._sync_folder(self._directory)
        except BaseException:
            os.close(file)
            raise
        return file


class MemoryStorage:
    """
    No files: what is saved lasts as long as the process, and the other members are to be the copies.

    A member that comes back has forgotten its vote too; where all are killed at once, all is lost.
    """

    stored = Stored()

    def save(self, save: Save) -> None:
        """The core holds it, and nothing else does."""

    def close(self) -> None:
        """Nothing is open."""


def _not(what: object) -> None:
    """Sync nothing."""


def _framed(content: object) -> bytes:
    payload = msgspec.msgpack.encode(content)
    return _HEAD.pack(len(payload), zlib.crc32(payload)) + payload


def _record_at(data: bytes, at: int) -> bytes | None:
    """The payload of the record that begins at `at`; None where it is not whole."""
    if at + _HEAD.size > len(data):
        return None
    length, crc = _HEAD.unpack_from(data, at)
    payload = data[at + _HEAD.size : at + _HEAD.size + length]
    return payload if length and len(payload) == length and zlib.crc32(payload) == crc else None


def _load(directory: Path) -> Stored:
    """The state that the files hold, without a torn end. Raises CorruptData."""
    wal_path, snapshot_path = directory / "wal", directory / "snapshot"
    snapshot = Snapshot()
    if snapshot_path.exists():
        payload = _record_at(snapshot_path.read_bytes(), 0)
        if payload is None:
            raise CorruptData(f"{snapshot_path} is damaged", directory)
        snapshot = msgspec.msgpack.decode(payload, type=Snapshot)
    data = wal_path.read_bytes() if wal_path.exists() else b""
    term, voted_for, at = 0, None, 0  # type: int, str | None, int
    first_index, entries = 1, list[Entry]()  # as the log says, whatever the snapshot covers
    while (payload := _record_at(data, at)) is not None:
        record = msgspec.msgpack.decode(payload, type=_Record)
        if at == 0:
            first_index = record.first_index
        term, voted_for = record.current_term, record.voted_for
        del entries[record.first_index - first_index :]
        entries.extend(record.entries)
        at += _HEAD.size + len(payload)
    if _more_follows(data, at):
        raise CorruptData(f"{wal_path} is damaged at byte {at}, and whole records follow", directory)
    if at == 0 and (wal_path.exists() or snapshot_path.exists()):  # it is made with a first record, by a rename
        raise CorruptData(f"{wal_path} is missing, or its first record is damaged", directory)
    if snapshot.last_included_index < first_index - 1:
        what = f"{snapshot_path} is missing or old: {wal_path} begins after it, at entry {first_index}"
        raise CorruptData(what, directory)
    if snapshot.last_included_index >= first_index:  # a crash came between the two renames
        log = Log(Snapshot(first_index - 1), entries)
        log.install(snapshot)
        entries = log.entries
    if snapshot.last_included_term > term:  # nor did its term reach the log: no vote was given in it
        term, voted_for = snapshot.last_included_term, None
    return Stored(term, voted_for, snapshot, tuple(entries))


def _more_follows(data: bytes, at: int) -> bool:
    """Whether a whole record stands behind the bad one at `at`, which then is not the last save's torn end."""
    if at + _HEAD.size > len(data):
        return False
    length, _ = _HEAD.unpack_from(data, at)
    return _record_at(data, at + _HEAD.size + length) is not None
