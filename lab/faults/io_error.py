"""A disk that gives errors."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Literal

from lab.faults.kit.disk import DiskTrouble, troubled
from lab.model import Scalar
from lab.model.bench import Bench

On = Literal["read", "write", "fsync"]


@dataclass(frozen=True)
class IoError(DiskTrouble):
    """Each read, write or fsync gets EIO. A failed fsync syncs nothing.

    The receipt has the errors given, such as `fsync EIO given`; without any, the run is UNKNOWN. Data in the
    kernel's cache are read without the disk.
    """

    on: On

    @property
    def text(self) -> str:
        """`postgres gets EIO on fsync`."""
        return f"{self.member.name} gets EIO on {self.on}"

    def inject(self, bench: Bench) -> AbstractAsyncContextManager[Mapping[str, Scalar]]:
        """Give errors, and none any more on exit."""
        on, off = ({"on": self.on, "fails": fails} for fails in (True, False))
        return troubled(bench, self.member, self.text, on, off, self._check)

    def _check(self, facts: Mapping[str, Scalar]) -> str | None:
        given = facts.get(f"{self.on} EIO given", 0)
        return None if given else f"{self.member.name} asked for no {self.on} of its disk, so it got no error"


io_error = IoError
