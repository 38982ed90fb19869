"""What faults of a process share: reading back what the system says of it, its start afterwards, and its dose."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from lab.errors import LabError
from lab.faults.kit.dose import gone_dose
from lab.faults.kit.undo import surely
from lab.faults.kit.window import window
from lab.model import Member, Scalar, Takes
from lab.model.bench import ProcessControl, ProcessState
from lab.record import Dose, Probe

SIGNAL_TAKES_S = 1.0  # a signal is delivered within a tick or two; a busy machine gets a hundred
LOOK_EVERY_S = 0.01


# A service of ours answers 0.5 to 1.5 s after it is started on two cores, a server that replays its log after 2 s. What
# takes longer than this on top of a toxic's time keeps a phase from beginning, and its first seconds are the fault's.
STARTS_WITHIN = Takes(out_s=3.0, why="a process starts again and is awaited until it answers")


async def trouble(restart: asyncio.Task[None]) -> dict[str, Scalar]:
    """Await the end of a restart (cancelled or not): as a fact what went wrong with it, if anything did."""
    (error,) = await asyncio.gather(restart, return_exceptions=True)
    if error is None or isinstance(error, asyncio.CancelledError):
        return {}
    return {"error": str(error) or type(error).__name__}


class Comeback:
    """The start of a process that a fault has killed: after a while, at the latest when the fault ends."""

    def __init__(self, control: ProcessControl, rests_s: float = 0.0) -> None:
        """It is started `rests_s` after the fault's end at the earliest, where it was not before."""
        self._control, self._rests_s = control, rests_s
        self._under_way: asyncio.Task[None] | None = None

    def begin(self, after_s: float | None) -> None:
        """Start it in so many seconds; None: only when the fault ends."""
        if after_s is not None:
            self._under_way = asyncio.create_task(self._start(after_s))

    async def complete(self) -> dict[str, Scalar]:
        """Start it where it is still gone; gives what went wrong with a start, the first one, as a fact.

        What it lost may be what it would have started from, so one that does not come back is a finding of the run, and
        ends it no sooner than its load.
        """
        facts: dict[str, Scalar] = {}
        if self._under_way is not None:
            self._under_way.cancel()
            facts = await trouble(self._under_way)
        if await self._control.state() == "gone":
            await asyncio.sleep(self._rests_s)
            facts = await trouble(asyncio.ensure_future(self._control.restart())) | facts
        return facts

    async def _start(self, after_s: float) -> None:
        await asyncio.sleep(after_s)
        await surely(self._control.restart())


def dead_dose(text: str, member: Member, restart_after_s: float | None, probes: Sequence[Probe]) -> Dose:
    """In force where nothing answered for as long as the member was to be dead."""
    asked = f"{text}: no answer from it"
    if restart_after_s is None:
        return gone_dose(asked, window(probes, member))
    # Seen to be gone before the first probe of the window, and refused by the kernel: three such probes are proof.
    return gone_dose(asked, window(probes, member, edge_s=0.1, lasts_s=restart_after_s), needed=3)


async def killed(member: Member, control: ProcessControl) -> dict[str, Scalar]:
    """Kill it, and read back that it is gone; a fact tells of one that had not come back from an earlier fault."""
    if await control.state() == "gone":
        return {"state": "gone", "error": f"{member.name} was gone before it was killed"}
    await surely(control.kill())
    return {"state": await expect(member, control, "gone")}


async def paused(member: Member, control: ProcessControl) -> dict[str, Scalar]:
    """Stop it, and read back that it is stopped; a fact tells of one that had not come back from an earlier fault."""
    if await control.state() == "gone":
        return {"state": "gone", "error": f"{member.name} was gone before it was paused"}
    await surely(control.pause())
    return {"state": await expect(member, control, "paused")}


async def expect(member: Member, control: ProcessControl, wanted: ProcessState) -> ProcessState:
    """The process's state, as asked; raises LabError where it is another, also after a moment."""
    until_s = time.monotonic() + SIGNAL_TAKES_S
    while (found := await control.state()) != wanted:
        if time.monotonic() > until_s:
            raise LabError(f"{member.name}: asked to be {wanted}, read back {found}")
        await asyncio.sleep(LOOK_EVERY_S)
    return found
