"""What is wrong with the disk at the moment: slow syncs, no room, errors. Faults switch it on and off."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Mapping
from typing import Literal

On = Literal["read", "write", "fsync"]
FREE_BYTES = 1 << 40  # of a disk that is not full: a TiB, so that no server worries


class Trouble:
    """Counts the errors that it gives in `given`, by what was asked: `read EIO`, `write ENOSPC`."""

    def __init__(self, given: dict[str, int]) -> None:
        self._given = given
        self.fsync_ms = 0.0
        self.failing: set[str] = set()
        self._room_bytes: int | None = None

    @property
    def free_bytes(self) -> int:
        """What statvfs(2) tells of room."""
        return FREE_BYTES if self._room_bytes is None else self._room_bytes

    @property
    def limited(self) -> bool:
        """Whether room is counted now."""
        return self._room_bytes is not None

    def slow(self, fsync_ms: float) -> None:
        """Each fsync takes so much longer; 0 mends it."""
        self.fsync_ms = fsync_ms

    def fill(self, leaves_bytes: int | None) -> None:
        """Leave so much room and no more; None gives it back."""
        self._room_bytes = leaves_bytes

    def fail(self, on: On, fails: bool = True) -> None:
        """EIO for each operation of a sort, or no longer."""
        (self.failing.add if fails else self.failing.discard)(on)

    def check(self, on: On) -> None:
        """Raises EIO where operations of this sort fail now."""
        if on in self.failing:
            raise self._error(on, errno.EIO)

    def take(self, more_bytes: int) -> None:
        """Take room for what a write, or whatever else, adds; raises ENOSPC where there is not enough."""
        if self._room_bytes is None or more_bytes <= 0:
            return
        if more_bytes > self._room_bytes:
            raise self._error("write", errno.ENOSPC)
        self._room_bytes -= more_bytes

    def give_back(self, bytes_less: int) -> None:
        """Room that is free again: a file was removed or cut off."""
        if self._room_bytes is not None and bytes_less > 0:
            self._room_bytes += bytes_less

    def wait(self) -> None:
        """Take as long as an fsync takes now."""
        if self.fsync_ms:
            time.sleep(self.fsync_ms / 1000)

    def state(self) -> Mapping[str, float | str]:
        """What is wrong, as plain data."""
        return {"fsync_ms": self.fsync_ms, "free_bytes": self.free_bytes, "failing": ",".join(sorted(self.failing))}

    def _error(self, what: str, number: int) -> OSError:
        key = f"{what} {errno.errorcode[number]}"
        self._given[key] = self._given.get(key, 0) + 1
        return OSError(number, os.strerror(number))
