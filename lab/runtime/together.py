"""What the runtimes have in common beside their protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence

from lab.model import Scalar


async def all_at_once(starts: Sequence[Awaitable[None]]) -> None:
    """Run them at the same time; once one fails the others are given up and its error is raised."""
    tasks = [asyncio.ensure_future(start) for start in starts]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def text(value: Scalar) -> str:
    """A setting as a service reads it from its environment."""
    return ("on" if value else "off") if isinstance(value, bool) else str(value)
