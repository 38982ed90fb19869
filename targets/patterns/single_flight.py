"""
One fetch for all who want the same thing at once: within a process, and across processes.

Two things that are easily taken for one. `SingleFlight` is a dictionary in memory: it costs nothing, and of n processes
each makes its own fetch. `once_for_all` asks a lock that all processes see: one fetch in all, at the price of a trip to
the lock and of a wait that the lock's holder decides on. The lock saves work and guards nothing: where its holder is
paused past the lock's end, two fetch, and both are right.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, Protocol, TypeVar

T = TypeVar("T")
log = logging.getLogger(__name__)


class SingleFlight(Generic[T]):
    """At most one flight for each key at any time; whoever comes while one is in the air waits for its landing."""

    def __init__(self) -> None:
        self._flights: dict[str, asyncio.Task[T]] = {}

    def in_the_air(self, key: str) -> bool:
        """Whether there is one."""
        return key in self._flights

    def start(self, key: str, work: Callable[[], Coroutine[Any, Any, T]]) -> asyncio.Task[T]:
        """The flight for `key`: the one in the air, else a new one that does `work`. Nobody needs to wait for it."""
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.ensure_future(work())
            self._flights[key] = flight
            flight.add_done_callback(lambda done: self._landed(key, done))
        return flight

    async def do(self, key: str, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """
        What the flight for `key` brings, or the error that it ends with: the same for all who waited.

        It was perhaps begun before this call, so what it brings may be as much older. A caller that is cancelled leaves
        the flight in the air for the others.
        """
        return await asyncio.shield(self.start(key, work))

    async def close(self) -> None:
        """Cancel what is in the air, and wait for its end."""
        flights = list(self._flights.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    def _landed(self, key: str, flight: asyncio.Task[T]) -> None:
        del self._flights[key]  # its result is for those who waited; who comes later wants a fresh one
        if not flight.cancelled():
            flight.exception()  # looked at, or asyncio complains of a flight that nobody waited for


class Turn(Protocol):
    """A lock that every process sees, and that comes free by itself when its holder dies."""

    async def take(self) -> bool:
        """Take it; false where somebody has it."""
        ...

    async def give_back(self) -> None:
        """Free it, if it is still ours."""
        ...


async def once_for_all(
    look: Callable[[], Awaitable[T | None]],
    work: Callable[[], Awaitable[T]],
    turn: Turn,
    *,
    poll_s: float = 0.01,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> T:
    """
    What `look` finds. While that is nothing, whoever has the turn does `work`, and the others look every `poll_s`.

    `work` must leave what it makes where `look` finds it. Where it fails its error is the holder's alone: the next one
    takes the turn and tries. A turn that cannot be given back comes free by itself: what was done is done.
    """
    while (found := await look()) is None:
        if await turn.take():
            try:
                # The last holder may have finished between our look and our turn.
                found = await look()
                return await work() if found is None else found
            finally:
                await _give_back(turn)
        await sleep(poll_s)
    return found


async def _give_back(turn: Turn) -> None:
    try:
        await turn.give_back()
    except Exception as error:
        log.warning("a turn could not be given back (%r); it comes free by itself", error)
