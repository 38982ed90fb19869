"""A lock between labs that use the same folder; the kernel lets go of it however its holder ends."""

from __future__ import annotations

import asyncio
import fcntl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from lab.errors import StartError
from lab.kit.tasks import awaiting

LOOK_EVERY_S = 0.1


@asynccontextmanager
async def alone(folder: Path, what: str, within_s: float) -> AsyncIterator[None]:
    """Hold the lock of a folder. `what` says what is awaited meanwhile. Raises StartError after `within_s`."""
    deadline = time.monotonic() + within_s
    file = folder / "lock"
    with file.open("a") as lock:
        with awaiting(what):
            while not _took(lock.fileno()):
                if time.monotonic() > deadline:
                    raise StartError(
                        f"waited {within_s:g} s for {what}; that lab holds {file}. End that lab, or try again later"
                    )
                await asyncio.sleep(LOOK_EVERY_S)
        yield


def _took(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
