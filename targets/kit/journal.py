"""An append-only file of JSON lines: what is in it outlives `kill -9` and a power cut, whole lines only."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

import msgspec

from targets.kit.durable import ClosedFile, make_folder, sync, sync_folder, write_all

T = TypeVar("T")


class Journal(Generic[T]):
    """
    The lines of one file, each a `kind`. Open it, take `entries`, then `append`; blocking, so call it in a thread.

    Raises msgspec.DecodeError where a whole line is no `kind`: no crash leaves that behind.
    """

    def __init__(self, path: Path, kind: type[T]) -> None:
        make_folder(path.parent)
        self._lock = Lock()  # `close` waits for an `append` in another thread: the number of a closed file is reused
        self._file: int | None = None
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            sync_folder(path.parent)  # it may be new
            found = path.read_bytes()
            whole = found.rfind(b"\n") + 1
            self.entries: list[T] = msgspec.json.Decoder(kind).decode_lines(found[:whole])
            # A line without its end was cut short by a crash before its `append` returned.
            os.ftruncate(file, whole)
        except BaseException:
            os.close(file)
            raise
        self._path, self._file = path, file
        self._encoder = msgspec.json.Encoder()

    def append(self, entry: T) -> None:
        """Keep an entry; on return it will outlive a power cut. Raises OSError, ClosedFile."""
        with self._lock:
            if self._file is None:
                raise ClosedFile(f"{self._path} is closed: the entry was not kept")
            write_all(self._file, self._encoder.encode(entry) + b"\n")
            sync(self._file)
            self.entries.append(entry)

    def close(self) -> None:
        """Release the file, once an `append` that has begun is done."""
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None
