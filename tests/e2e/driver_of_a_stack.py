"""A lab in small, to be killed: `python driver_of_a_stack.py <folder> <run>` starts a stack and waits."""

import asyncio
import signal
import sys
import time
from pathlib import Path

from lab.model import Backing, Link, Service
from lab.runtime.base import Stack
from lab.runtime.local import LocalRuntime
from lab.runtime.supervisor import Supervisor
from lab.runtime.tools import Tools


async def drive(folder: Path, run: str, *more: str) -> None:
    """Start exchange, payments and perhaps a database, pause one, print the ports, then stay."""
    payments, exchange = Service("payments"), Service("exchange")
    servers = [Backing("postgres")] if "postgres" in more else []
    charge = Link(exchange, payments)
    async with Supervisor.open(folder / "runs" / run, run) as supervisor:
        runtime = LocalRuntime(supervisor, Tools())
        running = await runtime.start(Stack([*servers, payments, exchange], [charge]), folder / "logs")
        with running.journal("silence", target=charge.name):
            await running.process(payments).pause()
            ports = [running.address(member).port for member in (*servers, payments, exchange)]
            print(*ports, running.link_address(charge).port, flush=True)
            if "block" in more:
                time.sleep(60)  # noqa: ASYNC251 - a lab that hangs
            await asyncio.sleep(60)


if __name__ == "__main__":
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it is ignored, and children inherit that
    asyncio.run(drive(Path(sys.argv[1]), *sys.argv[2:]))
