"""What `lab load-worker` does: carry load for a lab on another machine."""

from __future__ import annotations

import asyncio
import secrets
import signal

from lab.errors import Interrupted
from lab.kit.places import STATE
from lab.kit.streams import tell
from lab.load.joining import address_of, work_for
from lab.run.signals import Signals
from lab.runtime.supervisor import Supervisor


def carry_load(master: str) -> None:
    """Be a load worker of the lab at `master` (HOST:PORT). Ends by a signal alone: Interrupted."""
    host, port = address_of(master, "--master")
    asyncio.run(_carry(host, port))


async def _carry(host: str, port: int) -> None:
    name = f"load-worker-{secrets.token_hex(2)}"
    left: list[str] = []
    with Signals() as signals:
        try:
            async with Supervisor.open(STATE / name, name, left) as supervisor:
                await work_for(host, port, supervisor.spawn, supervisor.scratch, tell)
        except asyncio.CancelledError:
            for sentence in left:
                tell(sentence)
            raise Interrupted(signals.caught or signal.SIGINT, *(["interrupted"] if left else [])) from None
