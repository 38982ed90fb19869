"""Reading back what the operating system says of a process."""

from __future__ import annotations

import asyncio
import time

from lab.errors import LabError
from lab.model import Member, Scalar, Takes
from lab.model.bench import ProcessControl, ProcessState

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


async def expect(member: Member, control: ProcessControl, wanted: ProcessState) -> ProcessState:
    """The process's state, as asked; raises LabError where it is another, also after a moment."""
    until_s = time.monotonic() + SIGNAL_TAKES_S
    while (found := await control.state()) != wanted:
        if time.monotonic() > until_s:
            raise LabError(f"{member.name}: asked to be {wanted}, read back {found}")
        await asyncio.sleep(LOOK_EVERY_S)
    return found
