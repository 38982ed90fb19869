"""
How states spread: each change is sent to all others at once, and what they miss is repaired by anti-entropy.

Anti-entropy (Demers et al., "Epidemic algorithms for replicated database maintenance", 1987), push-pull: now and then a
node sends its whole state to another one, which merges it and answers with its own. States here are a few kilobytes;
larger ones would be compared by digests first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping

from targets.kit import NoAnswer, Peer
from targets.kv.objects import Replica, State, decode, encode

_TYPE = {"Content-Type": "application/msgpack"}


class Gossip:
    """Alive between `start` and `close`. `every_s` 0: no anti-entropy, so that what is missed stays missed."""

    def __init__(self, replica: Replica, peers: Mapping[str, Peer], every_s: float) -> None:
        self._replica = replica
        self._peers = peers
        self._every_s = every_s
        self._tasks: set[asyncio.Task[None]] = set()
        self._talking: set[str] = set()

    def start(self) -> None:
        """Begin anti-entropy."""
        if self._every_s:
            self._spawn(self._rounds())

    async def close(self) -> None:
        """Stop, and give up what is on its way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def tell(self, part: State) -> None:
        """Send a change to all others, once, in the background: no client waits for that."""
        body = encode(part)
        for peer in self._peers.values():
            self._spawn(self._send(peer, "/gossip/change", body))

    async def _rounds(self) -> None:
        while True:
            for name, peer in self._peers.items():
                await asyncio.sleep(self._every_s)
                if name not in self._talking:  # one that does not answer holds up no other
                    self._talking.add(name)
                    self._spawn(self._exchange(name, peer))

    async def _exchange(self, name: str, peer: Peer) -> None:
        try:
            await self._send(peer, "/gossip/state", encode(self._replica.state))
        finally:
            self._talking.discard(name)

    async def _send(self, peer: Peer, path: str, body: bytes) -> None:
        try:
            answer = await peer.attempt("POST", path, body, _TYPE)
        except NoAnswer:
            return
        if answer.status == 200 and answer.body:
            self._replica.merge(decode(answer.body))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
