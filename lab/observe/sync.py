"""One probe of a disk: a sync of a file there, in a thread of its own, and how long it took."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

from lab.record import ProbeOutcome

Ended = tuple[ProbeOutcome, float | None]


async def sync(file: Path, timeout_s: float) -> Ended:
    """Open the file, made where it is not there, and sync it: how that ended, and the milliseconds of the sync.

    A thread each, and no pool: syncs of a disk that hangs stay under way until it is unmounted, and would fill one.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[Ended] = loop.create_future()

    def tell(how: Ended) -> None:
        if not ended.done():  # else it comes after the time-out
            ended.set_result(how)

    def work() -> None:
        how = _sync(file)
        with suppress(RuntimeError):  # the loop is closed, and nobody waits any more
            loop.call_soon_threadsafe(partial(tell, how))

    threading.Thread(target=work, name=f"sync of {file}", daemon=True).start()
    try:
        async with asyncio.timeout(timeout_s):
            return await ended
    except TimeoutError:
        return "timeout", None


def _sync(file: Path) -> Ended:
    try:
        opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            began = time.perf_counter()
            os.fdatasync(opened)
            return "answered", (time.perf_counter() - began) * 1000
        finally:
            os.close(opened)
    except OSError:
        return "error", None
