"""Work that must come to its end also when it is cancelled, and what is being waited for at the moment."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

_awaited: list[str] = []


async def surely(work: Awaitable[T]) -> T:
    """Await `work` to its end even if cancelled meanwhile; the cancellation is passed on after."""
    task = asyncio.ensure_future(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        if not task.cancelled():
            task.exception()  # looked at, so that asyncio does not report it as lost
        raise asyncio.CancelledError
    return task.result()


@contextmanager
def awaiting(what: str) -> Iterator[None]:
    """Name what is waited for (`payments to end`), for a second Ctrl-C that asks."""
    _awaited.append(what)
    try:
        yield
    finally:
        _awaited.remove(what)


def awaited() -> list[str]:
    """What is waited for now, the oldest first, each thing once."""
    return list(dict.fromkeys(_awaited))
