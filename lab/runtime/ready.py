"""Waiting until a server answers: many small tries, each with a timeout of its own, until a deadline."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from lab.errors import StartError
from lab.runtime import processes
from lab.runtime.base import Address, Child
from lab.runtime.supervisor import ending

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.01, 0.2
TRY_S = 2.0
PATIENCE_S = 15.0
MOST_HEALTH_BYTES = 4096

Ready = Callable[[], Awaitable[bool]]


class PortTaken(StartError):
    """A server ended at once because somebody else had taken its port meanwhile; another port will do."""


class AnothersAnswer(OSError):
    """What answers is not ours: a service of another run, or any program, has the port."""


async def wait_ready(
    child: Child, ready: Ready, where: str, patience_s: float = PATIENCE_S, *, listens_at: int | None = None
) -> None:
    """Wait until `ready()` says so. Raises StartError, with the last log lines, at an early end or after `patience_s`.

    `ready` may raise OSError, EOFError or TimeoutError: those count as "not yet". With `listens_at` an answer counts
    only where that port is the child's own: another program may have taken it just before.
    """
    deadline = time.monotonic() + patience_s
    pause_s = FIRST_PAUSE_S
    anothers = ""
    while child.returncode is None:
        try:
            async with asyncio.timeout(TRY_S):
                if await ready() and child.returncode is None:
                    if listens_at is None or processes.listens(child.pid, listens_at):
                        return
                    raise AnothersAnswer("another program answers there")
        except AnothersAnswer as answer:
            anothers = f" ({answer})"
        except (OSError, EOFError, TimeoutError):
            pass
        if time.monotonic() > deadline:
            raise StartError(f"{child.name} did not answer at {where} within {patience_s:g} s{anothers}; {_log(child)}")
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


async def service_ok(address: Address, service: str, run: str) -> bool:
    """Whether GET /healthz is answered with 200 by that service of that run. Raises AnothersAnswer for any other."""
    async with _get(address, "/healthz") as (good, reader):
        if not good:
            return False
        while await reader.readline() not in (b"\r\n", b""):  # its headers
            pass
        body = b""
        while len(body) < MOST_HEALTH_BYTES and (more := await reader.read(MOST_HEALTH_BYTES)):
            body += more
    try:
        said = json.loads(body)
        theirs = (said["service"], said["run"])
    except (ValueError, KeyError, TypeError):
        raise AnothersAnswer("the program that answers there does not name its run") from None
    if theirs != (service, run):
        raise AnothersAnswer(f"service {theirs[0]} of run {theirs[1] or 'none'} answers there")
    return True


async def http_ok(address: Address, path: str) -> bool:
    """Whether a GET is answered with 200."""
    async with _get(address, path) as (good, _):
        return good


@asynccontextmanager
async def _get(address: Address, path: str) -> AsyncIterator[tuple[bool, asyncio.StreamReader]]:
    """Ask; whether the status is 200, and the rest of the answer."""
    reader, writer = await asyncio.open_connection(address.host, address.port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode())
        yield b" 200 " in await reader.readline() + b" ", reader
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
