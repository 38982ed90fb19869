"""A disk that fills up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from lab.faults.kit.bounds import at_least
from lab.faults.kit.disk import troubled, unseen_dose
from lab.model import Fault, Member, Scalar
from lab.model.bench import Bench
from lab.record import Dose, Probe

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class DiskFull(Fault):
    """All of its room but `leaves_mb` is taken at once, and given back when the phase ends.

    What extends a file, makes one or a folder then takes of the rest, and gets ENOSPC where that is not enough;
    writes over what is there go on. The receipt has the errors given, `write ENOSPC given`.
    """

    member: Member
    leaves_mb: float = 0

    def __post_init__(self) -> None:
        at_least("disk_full", "leaves_mb", self.leaves_mb, 0)

    @property
    def targets(self) -> tuple[Member, ...]:
        """None that a canary could watch: the server answers it, whatever its disk does."""
        return ()

    @property
    def where(self) -> str:
        """The server."""
        return self.member.name

    @property
    def disks(self) -> tuple[Member]:
        """Its data are on a disk of the lab's own."""
        return (self.member,)

    @property
    def text(self) -> str:
        """`postgres has no room`, `postgres has 64 MB of room`."""
        return f"{self.member.name} has {f'{self.leaves_mb:g} MB of' if self.leaves_mb else 'no'} room"

    def inject(self, bench: Bench) -> AbstractAsyncContextManager[Mapping[str, Scalar]]:
        """Take its room, and give it back on exit."""
        on = {"leaves_bytes": round(self.leaves_mb * MEGABYTE)}
        return troubled(bench, self.member, self.text, on, {"leaves_bytes": None}, lambda facts: None)

    def dose(self, probes: Sequence[Probe]) -> Dose:
        """Of the filesystem's own counts, in the receipt."""
        return unseen_dose(self.text)


disk_full = DiskFull
