"""What the backing servers count at one moment, asked of them: a second witness beside the services."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from lab.model import Backing
from lab.runtime.base import Running
from lab.runtime.statistics import Ask, Count, Counting, NoStatistics, counting_of

TIMEOUT_S = 1.0
OPEN_S = 5.0  # before the load: a connection, and what the kind has to set up


@dataclass
class Server:
    """One server that is asked, over a connection that is kept; after a failure, over a new one."""

    name: str
    url: str
    counting: Counting
    _kept: AsyncExitStack = field(default_factory=AsyncExitStack)
    _ask: Ask | None = None
    _alone: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def ask(self, timeout_s: float = TIMEOUT_S) -> list[dict[str, Any]]:
        """Rows for the snapshots, without a time. Raises NoStatistics, or TimeoutError after `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s), self._alone:  # an edge may come while the last one is being told
                counts = await self._counts()
        except (NoStatistics, TimeoutError):
            await self.close()
            raise
        return [
            {
                "service": self.name,
                "metric": count.metric,
                "labels": json.dumps(dict(count.labels), sort_keys=True),
                "value": float(count.value),
            }
            for count in counts
        ]

    async def _counts(self) -> Sequence[Count]:
        """Over the connection that is there; where that broke, as with a server that was restarted, over a new one."""
        if self._ask is not None:
            try:
                return await self._ask()
            except NoStatistics:
                await self.close()
        self._ask = await self._kept.enter_async_context(self.counting(self.url))
        return await self._ask()

    async def close(self) -> None:
        """Let go of the connection; whatever it says to that."""
        kept, self._kept, self._ask = self._kept, AsyncExitStack(), None
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await kept.aclose()
        except (OSError, TimeoutError):
            pass


@dataclass
class Statistics:
    """The servers of a stack whose kind has statistics."""

    servers: list[Server] = field(default_factory=list)

    @classmethod
    @asynccontextmanager
    async def of(cls, running: Running) -> AsyncIterator[Statistics]:
        """Connect to each, beside every link, so that asking is one trip at a phase's edge; disconnect at the end."""
        asked = [(member, counting_of(member.kind)) for member in running.members() if isinstance(member, Backing)]
        servers = [
            Server(member.name, running.statistics_url(member), counting)
            for member, counting in asked
            if counting is not None
        ]
        try:
            # A server that gives none now is asked again at each edge, and noted there.
            await asyncio.gather(*(server.ask(OPEN_S) for server in servers), return_exceptions=True)
            yield cls(servers)
        finally:
            await asyncio.gather(*(server.close() for server in servers))

    async def snapshot(self, at_s: float, leave_out: Collection[str] = ()) -> tuple[list[dict[str, Any]], list[str]]:
        """Ask all servers but those named, at the same time.

        Gives rows as `lab.observe.snapshots.snapshot` does, and a note for each server that did not answer.
        """
        asked = [server for server in self.servers if server.name not in leave_out]
        answers = await asyncio.gather(*(server.ask() for server in asked), return_exceptions=True)
        rows: list[dict[str, Any]] = []
        notes: list[str] = []
        for server, answer in zip(asked, answers, strict=True):
            match answer:
                case list():
                    rows += [{"at_s": at_s, **row} for row in answer]
                case TimeoutError():
                    notes.append(f"{server.name} did not give its statistics within {TIMEOUT_S:g} s")
                case NoStatistics():
                    notes.append(f"{server.name} gave no statistics ({answer})")
                case _:
                    raise answer
        return rows, notes
