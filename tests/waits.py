"""Waiting for real processes, with a limit."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.runtime import processes
from lab.runtime.supervisor import last_lines


async def until(condition: Callable[[], Any], within_s: float = 15) -> Any:
    """Wait until the condition is true and give its value; TimeoutError after `within_s`."""
    async with asyncio.timeout(within_s):
        while not (found := condition()):  # noqa: ASYNC110 - another process sets no Event
            await asyncio.sleep(0.01)
    return found


async def printed(log: Path, text: str = "") -> str:
    """What a process has written to its log, as soon as there is some that holds `text`."""
    return await until(lambda: (found := last_lines(log).strip()) and text in found and found)


async def gone(pid: int) -> bool:
    """Wait until there is no such process."""
    return await until(lambda: processes.look(pid) is None)
