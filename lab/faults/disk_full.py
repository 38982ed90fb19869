"""A disk that fills up."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from lab.faults.kit.bounds import at_least
from lab.faults.kit.disk import DiskTrouble, troubled
from lab.model import Scalar
from lab.model.bench import Bench

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class DiskFull(DiskTrouble):
    """All free space but `leaves_mb` is taken at once, and given back when the phase ends.

    Extending a file or creating a file or folder then uses the rest, and gets ENOSPC when that runs out; overwriting
    existing data still works. The receipt has the errors given, `write ENOSPC given`.
    """

    leaves_mb: float = 0

    def __post_init__(self) -> None:
        at_least("disk_full", "leaves_mb", self.leaves_mb, 0)

    @property
    def text(self) -> str:
        """`postgres has no room`, `postgres has 64 MB of room`."""
        return f"{self.member.name} has {f'{self.leaves_mb:g} MB of' if self.leaves_mb else 'no'} room"

    def inject(self, bench: Bench) -> AbstractAsyncContextManager[Mapping[str, Scalar]]:
        """Take its room, and give it back on exit."""
        on = {"leaves_bytes": round(self.leaves_mb * MEGABYTE)}
        return troubled(bench, self.member, self.text, on, {"leaves_bytes": None}, lambda facts: None)


disk_full = DiskFull
