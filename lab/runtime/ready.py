"""Waiting until a server answers: many small tries, each with a time-out of its own, until a deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from lab.errors import StartError
from lab.runtime.base import Address, Child
from lab.runtime.supervisor import ending

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.01, 0.2
TRY_S = 2.0
PATIENCE_S = 15.0

Ready = Callable[[], Awaitable[bool]]


class PortTaken(StartError):
    """A server ended at once because somebody else had taken its port meanwhile; another port will do."""


async def wait_ready(child: Child, ready: Ready, where: str, patience_s: float = PATIENCE_S) -> None:
    """Wait until `ready()` says so. Raises StartError, with the last log lines, at an early end or after `patience_s`.

    `ready` may raise OSError, EOFError or TimeoutError: those count as "not yet".
    """
    deadline = time.monotonic() + patience_s
    pause_s = FIRST_PAUSE_S
    while child.returncode is None:
        try:
            async with asyncio.timeout(TRY_S):
                if await ready():
                    return
        except (OSError, EOFError, TimeoutError):
            pass
        if time.monotonic() > deadline:
            raise StartError(f"{child.name} did not answer at {where} within {patience_s:g} s; {_log(child)}")
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 1.5, LONGEST_PAUSE_S)
    said = f"{child.name} ended before it was ready ({ending(child.returncode)}); {_log(child)}"
    raise (PortTaken if "in use" in child.tail().lower() else StartError)(said)


def _log(child: Child) -> str:
    """Its last log lines, introduced."""
    tail = child.tail()
    if not tail:
        return f"it wrote nothing to its log ({child.log})"
    return f"its last log lines ({child.log}):\n" + "\n".join(f"    {line}" for line in tail.splitlines())


async def http_ok(address: Address, path: str = "/healthz") -> bool:
    """Whether a GET is answered with 200."""
    reader, writer = await asyncio.open_connection(address.host, address.port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode())
        status = await reader.readline()
        return b" 200 " in status + b" "
    finally:
        writer.close()


async def says(address: Address, ask: bytes, answer: bytes) -> bool:
    """Whether a server that is sent `ask` (perhaps nothing) answers with bytes that begin with `answer`."""
    reader, writer = await asyncio.open_connection(address.host, address.port)
    try:
        writer.write(ask)
        return await reader.readexactly(len(answer)) == answer
    finally:
        writer.close()
