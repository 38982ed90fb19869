"""A disk that fills up."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from lab.faults.kit.bounds import at_least
from lab.faults.kit.disk import DiskTrouble, troubled
from lab.faults.kit.process import STARTS_WITHIN, expect
from lab.faults.kit.undo import surely, undoing
from lab.model import Scalar, Takes
from lab.model.bench import Bench

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class DiskFull(DiskTrouble):
    """All free space but `leaves_mb` is taken at once, and given back when the phase ends.

    Extending a file or creating a file or folder then uses the rest, and gets ENOSPC when that runs out; overwriting
    existing data still works. The receipt has the errors given, `write ENOSPC given`.

    With `restarts` the server may exit for want of room. That is part of the fault, and no death that makes the run
    UNKNOWN; it is started again once there is room, as an operator would. The receipt says whether it had `exited`.
    """

    leaves_mb: float = 0
    restarts: bool = False

    def __post_init__(self) -> None:
        at_least("disk_full", "leaves_mb", self.leaves_mb, 0)

    @property
    def text(self) -> str:
        """`postgres has no room`, `postgres has 64 MB of room`."""
        return f"{self.member.name} has {f'{self.leaves_mb:g} MB of' if self.leaves_mb else 'no'} room"

    @property
    def starts_again_at_the_end(self) -> bool:
        """Where it has exited."""
        return self.restarts

    @property
    def takes(self) -> Takes:
        """It is out when the server, if it has exited, answers again."""
        return STARTS_WITHIN if self.restarts else Takes()

    def inject(self, bench: Bench) -> AbstractAsyncContextManager[Mapping[str, Scalar]]:
        """Take its room, and give it back on exit."""
        on = {"leaves_bytes": round(self.leaves_mb * MEGABYTE)}
        full = troubled(bench, self.member, self.text, on, {"leaves_bytes": None}, lambda facts: None)
        return self._and_start_again(bench, full) if self.restarts else full

    @asynccontextmanager
    async def _and_start_again(
        self, bench: Bench, full: AbstractAsyncContextManager[Mapping[str, Scalar]]
    ) -> AsyncIterator[Mapping[str, Scalar]]:
        control = bench.process(self.member)
        facts: dict[str, Scalar] = {}

        async def undo() -> None:
            facts["exited"] = await control.state() == "gone"
            if facts["exited"]:
                await control.restart(excused=True)

        await surely(expect(self.member, control, "running"))  # else it was not the fault that ended it
        async with undoing(f"{self.text}: its start", undo):
            async with full as counted:
                yield facts
            facts.update(counted)


disk_full = DiskFull
