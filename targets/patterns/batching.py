"""
Group commit: one write for all that wait, instead of one each.

While a write is under way the items that come meanwhile wait; the next write takes all of them. So there is no timer to
tune: an idle system writes a batch of one at once, and a batch grows as large as the write is slow. An item waits for
the rest of the write that is under way and for its own, two at most.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Batches(Generic[T]):
    """Items on their way to `write`, which gets up to `most` at once and one batch at a time."""

    def __init__(self, write: Callable[[Sequence[T]], Awaitable[None]], most: int = 1_000) -> None:
        self._write = write
        self._most = most
        self._waiting: list[tuple[T, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Items that are in no batch yet."""
        return len(self._waiting)

    async def add(self, item: T) -> None:
        """Return when the batch that holds the item is written; raises what that write raised.

        A caller that is cancelled leaves its item in: whether it was written is then indeterminate.
        """
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, written))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all())
        await written

    async def _write_all(self) -> None:
        """Write as long as items wait."""
        while self._waiting:
            batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            try:
                await self._write([item for item, _ in batch])
            except Exception as error:  # each of its callers is told
                for _, written in batch:
                    if not written.done():
                        written.set_exception(error)
            else:
                for _, written in batch:
                    if not written.done():
                        written.set_result(None)
