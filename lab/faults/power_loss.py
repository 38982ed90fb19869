"""The power of a server goes: its processes, and what its disk was not told to keep."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Literal

from lab.faults.kit.bounds import at_least
from lab.faults.kit.process import STARTS_WITHIN, Comeback, dead_dose, killed
from lab.faults.kit.undo import surely, undoing
from lab.model import Fault, Member, Scalar, Takes
from lab.model.bench import Bench
from lab.record import Dose, Probe

Keeps = Literal["nothing", "some"]
# A kill takes 10 to 30 ms, and to look at all files once 10 to 50 ms. Several servers are cut one after the other.
TAKES = replace(STARTS_WITHIN, in_s=0.5, why="the disk undoes what was not synced; then the process starts again")
FORGETS_S = 0.25  # after a cut the kernel still has names and lengths of before in its cache, for 0.2 s (lab.disk.cut)
SHORTEST_S = 0.5  # as `kill`: the canary needs three probes of a dead process; longer than FORGETS_S


@dataclass(frozen=True)
class PowerLoss(Fault):
    """SIGKILL to all processes of it, then everything that was not synced is undone on its disk.

    It is started again on what is left, after `restart_after_s`, at the latest when the phase ends. What survives a
    `kill` because the kernel had it in its cache does not survive this.

    With `keeps="some"` a part of what was not synced survives, in any order, as on a real disk that wrote some of its
    cache back: half of the pages, a quarter torn at a sector's edge, half of the changes of names, drawn by `seed`.
    The receipt has what the disk saw before (`writes`, `fsyncs`) and what it undid (`undone_bytes`, `undone_names`).
    """

    member: Member
    restart_after_s: float | None = None
    keeps: Keeps = "nothing"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.restart_after_s is not None:
            at_least("power_loss", "restart_after_s", self.restart_after_s, SHORTEST_S)

    @property
    def targets(self) -> tuple[Member]:
        """The service or server."""
        return (self.member,)

    @property
    def disks(self) -> tuple[Member]:
        """Its data are on a disk of the lab's own."""
        return (self.member,)

    @property
    def text(self) -> str:
        """`postgres loses power`, `postgres loses power, keeps some, back after 1 s`."""
        some = ", keeps some" if self.keeps == "some" else ""
        back = "" if self.restart_after_s is None else f", back after {self.restart_after_s:g} s"
        return f"{self.member.name} loses power{some}{back}"

    @property
    def starts_again_at_the_end(self) -> bool:
        """Where it does not earlier."""
        return self.restart_after_s is None

    @property
    def takes(self) -> Takes:
        """It is in when all of it is undone, and out when the process is back."""
        return TAKES

    def inject(self, bench: Bench) -> AbstractAsyncContextManager[Mapping[str, Scalar]]:
        """Kill it and undo what was not synced; start it again when it is time, or on exit."""
        return self._dark(bench)

    @asynccontextmanager
    async def _dark(self, bench: Bench) -> AsyncIterator[Mapping[str, Scalar]]:
        control, disk = bench.process(self.member), bench.disk(self.member)
        facts: dict[str, Scalar] = {}
        comeback = Comeback(control, FORGETS_S)

        async def undo() -> None:
            facts.update(await comeback.complete())

        with bench.journal(self.text, member=self.member.name):
            async with undoing(self.text, undo):
                facts |= await killed(self.member, control)
                seen = await surely(disk.state())
                facts |= {name: seen[name] for name in ("writes", "written_bytes", "fsyncs")}
                facts |= await surely(disk.cut(self.keeps, self.seed))
                if facts["lost_inodes"]:
                    facts["error"] = f"the disk could not put {facts['lost_inodes']} files back"
                comeback.begin(self.restart_after_s)
                yield facts

    def dose(self, probes: Sequence[Probe]) -> Dose:
        """In force where nothing answered for as long as it was to be dead."""
        return dead_dose(self.text, self.member, self.restart_after_s, probes)


power_loss = PowerLoss
