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

import msgspec
from msgspec import Struct

from targets.raft.log import Log, Snapshot
from targets.raft.messages import Entry
from targets.raft.outcomes import Save, Stored

_HEAD = struct.Struct(">II")


class CorruptData(Exception):
    """A file holds what no crash leaves behind. Starting from it could undo what others were promised."""


class _Record(Struct, frozen=True, array_like=True):
    current_term: int
    voted_for: str | None
    first_index: int
    entries: tuple[Entry, ...]


class Storage:
    """The files of one server. Open it, take `stored`, then `save` each change; blocking, so call it in a thread."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self.stored = stored = _load(directory / "wal", directory / "snapshot")
        # Written anew: what a crash tore was never answered for, and what the snapshot covers may go.
        first = stored.snapshot.last_included_index + 1
        self._wal = self._replace("wal", _framed(_Record(stored.current_term, stored.voted_for, first, stored.entries)))

    def save(self, save: Save) -> None:
        """Keep a change; on return it will survive a crash."""
        record = _framed(_Record(save.current_term, save.voted_for, save.first_index, save.entries))
        if save.snapshot is None:
            _write(self._wal, record)
            os.fdatasync(self._wal)
            return
        # In this order: the new snapshot with the old log is a state that `_load` understands, the reverse is not.
        os.close(self._replace("snapshot", _framed(save.snapshot)))
        os.close(self._wal)
        self._wal = self._replace("wal", record)

    def close(self) -> None:
        """Let the files go."""
        os.close(self._wal)

    def _replace(self, name: str, content: bytes) -> int:
        path = self._directory / f"{name}.new"
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
        _write(file, content)
        os.fsync(file)
        path.replace(self._directory / name)
        self._sync_directory()
        return file

    def _sync_directory(self) -> None:
        directory = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def _framed(content: object) -> bytes:
    payload = msgspec.msgpack.encode(content)
    return _HEAD.pack(len(payload), zlib.crc32(payload)) + payload


def _write(file: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(file, rest) :]


def _record_at(data: bytes, at: int) -> bytes | None:
    """The payload of the record that begins at `at`; None where it is not whole."""
    if at + _HEAD.size > len(data):
        return None
    length, crc = _HEAD.unpack_from(data, at)
    payload = data[at + _HEAD.size : at + _HEAD.size + length]
    return payload if length and len(payload) == length and zlib.crc32(payload) == crc else None


def _load(wal_path: Path, snapshot_path: Path) -> Stored:
    """The state that the files hold, without a torn end. Raises CorruptData."""
    snapshot = Snapshot()
    if snapshot_path.exists():
        payload = _record_at(snapshot_path.read_bytes(), 0)
        if payload is None:
            raise CorruptData(f"{snapshot_path} is damaged: empty this server's directory and start it as a new member")
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
        raise CorruptData(f"{wal_path} is damaged at byte {at} and goes on after it: empty this server's directory")
    if snapshot.last_included_index < first_index - 1:
        raise CorruptData(f"{snapshot_path} is missing or old: {wal_path} begins after it, at entry {first_index}")
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
