"""The coordinator of a read or a write: it asks replicas until R or W have answered (sources in the package)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from typing import TypeVar
from urllib.parse import quote

import msgspec

from targets.kit import NoAnswer, Peer
from targets.kit.barriers import Barrier
from targets.kv.registers import Held, Replica, Version

T = TypeVar("T")


class TooFew(Exception):
    """Fewer replicas have answered than the quorum takes."""

    def __init__(self, answered: int, needed: int) -> None:
        super().__init__(f"{answered} replicas have answered, and {needed} are needed")


class TooFewHave(Exception):
    """A write that fewer than W replicas have acknowledged: it may be read later, or never."""


class Coordinator:
    """
    Reads and writes keys for this node's clients, with quorums of `reads` and `writes` replicas.

    This node's own replica is always one of them. With `reads` 1 no other is asked; else all others are, in turn from
    another one on, and the first answers count.
    """

    def __init__(
        self,
        name: str,
        replica: Replica,
        peers: Mapping[str, Peer],
        reads: int,
        writes: int,
        repair: bool,
        between: Barrier,
    ) -> None:
        self.on_repair: Callable[[], None] = lambda: None  # called for each read that writes back
        self._replica = replica
        self._name = name
        self._peers = peers
        self._reads = reads
        self._writes = writes
        self._repair = repair
        self._between = between
        self._issued: dict[str, int] = {}  # by key: the highest counter that this process has given to a write
        self._turn = 0
        self._background: set[asyncio.Task[Held]] = set()

    async def read(self, key: str) -> Held:
        """
        The newest value that R replicas have of a key. Raises TooFew.

        With read repair W replicas have it on return, so where R + W > N no later read can see an older one. What W of
        those that were asked have already is not written again.
        """
        found = await self._ask(key)
        newest = max(found.values(), key=lambda held: held.version)
        if self._repair:
            holders = {name for name, held in found.items() if held.version == newest.version}
            if len(holders) < self._writes:
                self.on_repair()
                await self._write_back(newest, holders)
        return newest

    async def write(self, key: str, value: str) -> Held:
        """
        Write a key, with a version above all that R replicas have.

        Raises TooFew where these did not answer, and nothing was done. Raises TooFewHave where fewer than W replicas
        acknowledged the write.
        """
        found = await self._ask(key)
        counter = max(self._issued.get(key, 0), *(held.version.counter for held in found.values())) + 1
        self._issued[key] = counter
        held = Held(key, Version(counter, self._name), value)
        await self._replica.keep(held)
        await self._between.passed(key)
        try:
            await self._store(held, {self._name})
        except TooFew as few:
            raise TooFewHave(str(few)) from few
        return held

    async def close(self) -> None:
        """Give up what is still on its way to replicas that no client waits for."""
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)

    async def _ask(self, key: str) -> dict[str, Held]:
        """What R replicas or more have of a key."""
        own = {self._name: self._replica.at(key)}
        if self._reads == 1:
            return own
        return own | await self._first(self._reads, 1, {name: self._get(name, key) for name in self._in_turn()})

    async def _write_back(self, held: Held, holders: set[str]) -> None:
        if self._name not in holders:
            await self._replica.keep(held)
        await self._store(held, {*holders, self._name})

    async def _store(self, held: Held, holders: Collection[str]) -> None:
        """Send a value to all that may lack it, and wait until W have it; the others get it in the background."""
        others = [name for name in self._in_turn() if name not in holders]
        await self._first(self._writes, len(holders), {name: self._put(name, held) for name in others})

    async def _first(self, quorum: int, has: int, calls: Mapping[str, Coroutine[None, None, Held]]) -> dict[str, Held]:
        """As many answers as a quorum lacks that `has` some; the other calls go on by themselves. Raises TooFew."""
        names = {self._begun(call): name for name, call in calls.items()}
        waiting, found = set(names), dict[str, Held]()
        while has + len(found) < quorum and waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            found |= {names[task]: task.result() for task in done if not task.cancelled() and task.exception() is None}
        if has + len(found) < quorum:
            raise TooFew(has + len(found), quorum)
        return found

    def _begun(self, call: Coroutine[None, None, Held]) -> asyncio.Task[Held]:
        task = asyncio.create_task(call)
        self._background.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Held]) -> None:
        self._background.discard(task)
        if not task.cancelled():
            task.exception()  # looked at here where no caller waits any more

    def _in_turn(self) -> Sequence[str]:
        names = list(self._peers)
        self._turn = (self._turn + 1) % max(1, len(names))
        return names[self._turn :] + names[: self._turn]

    async def _get(self, name: str, key: str) -> Held:
        answer = await self._peers[name].get(f"/replica/{quote(key, safe='')}")
        return answer_of(name, answer.status, answer.body)

    async def _put(self, name: str, held: Held) -> Held:
        path, headers = f"/replica/{quote(held.key, safe='')}", {"Content-Type": "application/json"}
        answer = await self._peers[name].attempt("PUT", path, msgspec.json.encode(held), headers)
        return answer_of(name, answer.status, answer.body)


def answer_of(name: str, status: int, body: bytes) -> Held:
    """What a replica holds now, by its own word. Raises NoAnswer where it is no such answer."""
    if status != 200:
        raise NoAnswer(name, "garbled", f"status {status}")
    return msgspec.json.decode(body, type=Held)
