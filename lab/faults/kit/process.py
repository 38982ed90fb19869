"""Reading back what the operating system says of a process."""

from __future__ import annotations

import asyncio
import time

from lab.bench import ProcessControl, ProcessState
from lab.errors import LabError
from lab.model import Member

SIGNAL_TAKES_S = 1.0  # a signal is delivered within a tick or two; a busy machine gets a hundred
LOOK_EVERY_S = 0.01


async def expect(member: Member, control: ProcessControl, wanted: ProcessState) -> ProcessState:
    """The process's state, as asked; raises LabError where it is another, also after a moment."""
    until_s = time.monotonic() + SIGNAL_TAKES_S
    while (found := await control.state()) != wanted:
        if time.monotonic() > until_s:
            raise LabError(f"{member.name}: asked to be {wanted}, read back {found}")
        await asyncio.sleep(LOOK_EVERY_S)
    return found
