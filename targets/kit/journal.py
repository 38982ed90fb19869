"""An append-only file of JSON lines: what is in it outlives `kill -9` and a power cut, whole lines only."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")


class Journal(Generic[T]):
    """
    The lines of one file, each a `kind`. Open it, take `entries`, then `append`; blocking, so call it in a thread.

    Raises msgspec.DecodeError where a whole line is no `kind`: no crash leaves that behind.
    """

    def __init__(self, path: Path, kind: type[T]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b", buffering=0)
        self._encoder = msgspec.json.Encoder()
        self._file.seek(0)
        found = self._file.read()
        whole = found.rfind(b"\n") + 1
        self.entries: list[T] = msgspec.json.Decoder(kind).decode_lines(found[:whole])
        # A line without its end was cut short by a crash, so nobody was told of it.
        self._file.truncate(whole)

    def append(self, entry: T) -> None:
        """Keep an entry; on return it will survive a crash."""
        rest = memoryview(self._encoder.encode(entry) + b"\n")
        while rest:
            rest = rest[self._file.write(rest) or 0 :]
        _sync(self._file.fileno())
        self.entries.append(entry)

    def close(self) -> None:
        """Let the file go."""
        self._file.close()


_sync = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync
