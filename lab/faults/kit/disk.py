"""What faults of a disk share: switched on, read back, switched off, with the filesystem's counts as receipt."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from lab.faults.kit.undo import surely, undoing
from lab.model import Fault, Member, Scalar
from lab.model.bench import Bench
from lab.record import Dose, Probe

COUNTED = ("writes", "written_bytes", "fsyncs", "fsync_s")
Check = Callable[[Mapping[str, Scalar]], str | None]  # the receipt -> why it was not in force, if it was not


@dataclass(frozen=True)
class DiskTrouble(Fault):
    """A trouble of the disk under a member's data. The server answers the canary whatever its disk does."""

    member: Member

    @property
    def targets(self) -> tuple[Member, ...]:
        """None that a canary could watch."""
        return ()

    @property
    def where(self) -> str:
        """The server."""
        return self.member.name

    @property
    def disks(self) -> tuple[Member]:
        """Its data are on a disk of the lab's own."""
        return (self.member,)

    def dose(self, probes: Sequence[Probe]) -> Dose:
        """In force: the receipt says what the disk counted, and `error` where that contradicts."""
        return Dose(self.text, "0 probes, since none sees a disk; the receipt has the filesystem's own counts", True)


@asynccontextmanager
async def troubled(
    bench: Bench,
    member: Member,
    text: str,
    on: Mapping[str, Scalar | None],
    off: Mapping[str, Scalar | None],
    check: Check,
) -> AsyncIterator[Mapping[str, Scalar]]:
    """Switch a trouble of a member's disk on, and off on exit; the receipt has what the disk counted meanwhile.

    `check` reads the receipt: the canary cannot see a disk, so what the disk itself counted is the proof.
    """
    disk = bench.disk(member)
    before: Mapping[str, Scalar] = {}
    facts: dict[str, Scalar] = {}

    async def undo() -> None:
        facts.update(since(before, await disk.trouble(off)))
        if before and (why := check(facts)):
            facts["error"] = why

    with bench.journal(text, member=member.name):
        async with undoing(text, undo):
            before = await surely(disk.trouble(on))  # what is counted between two questions was without it
            yield facts


def since(before: Mapping[str, Scalar], after: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """What a disk counted between two looks at its state: `writes`, `fsyncs`, seconds in them, errors given."""
    names = [*COUNTED, *(name for name in after if name.endswith(" given"))]
    return {name: round(float(after[name]) - float(before.get(name, 0)), 3) for name in names if name in after}
