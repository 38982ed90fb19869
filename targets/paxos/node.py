"""An acceptor with a disk, and a proposer with real time and real peers."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path

from targets.kit import NoAnswer, Peer
from targets.kit.journal import Journal
from targets.paxos.acceptor import Acceptor, Kept
from targets.paxos.messages import Notice, Reply, Request, decode_reply, encode
from targets.paxos.proposer import Answer, Proposer

_TYPE = {"Content-Type": "application/msgpack"}


class AcceptorNode:
    """Takes one request after the other; each reply leaves once what it says is on disk."""

    def __init__(self, directory: Path) -> None:
        self._journal = Journal(directory / "acceptor.jsonl", Kept)
        self._one_at_a_time = asyncio.Lock()
        self.acceptor = Acceptor(self._journal.entries)
        self.on_new_slot: Callable[[], None] = lambda: None  # called when a slot has its first vote

    async def receive(self, request: Request) -> Reply:
        """Answer a proposer. Raises OSError, ClosedFile."""
        async with self._one_at_a_time:
            before = len(self.acceptor.votes)
            reply, kept = self.acceptor.receive(request)
            if kept is not None:
                await asyncio.to_thread(self._journal.append, kept)
            if len(self.acceptor.votes) > before:
                self.on_new_slot()
            return reply

    def close(self) -> None:
        """Release the file."""
        self._journal.close()


class ProposerNode:
    """A proposer, alive between `start` and `close`; `decided` is told the rounds of each decision of its own."""

    def __init__(
        self,
        core: Proposer,
        acceptors: Mapping[str, Peer],
        proposers: Mapping[str, Peer],
        decided: Callable[[float], None],
    ) -> None:
        self.core = core
        self.acceptors = acceptors
        self.proposers = proposers
        self._decided = decided
        self._tokens = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Answer]] = {}
        self._sending: set[asyncio.Task[None]] = set()
        self._alarm: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to look at the clock."""
        self._step()

    async def close(self) -> None:
        """Stop, and give up what is on its way."""
        if self._alarm is not None:
            self._alarm.cancel()
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)

    async def ask(self, command: str) -> Answer:
        """Get a command chosen; waits until its fate is known or this task is cancelled."""
        token = next(self._tokens)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._asked[token] = future
        self._give(lambda: self.core.ask(token, command))
        try:
            return await future
        finally:
            self._asked.pop(token, None)

    def notice(self, notice: Notice) -> None:
        """Another proposer says something."""
        self._give(lambda: self.core.notice(notice))

    def _give(self, take: Callable[[], None]) -> None:
        """Let something into the core, which has to know what time it is."""
        self.core.tick(time.monotonic())
        take()
        self._step()

    def _step(self) -> None:
        """Let out what the core has to say, and wake up when it next has to look at the clock."""
        self.core.tick(time.monotonic())
        ready = self.core.take()
        for request in ready.requests:
            for name, peer in self.acceptors.items():
                self._spawn(self._request(name, peer, request))
        for notice in ready.notices:
            for peer in self.proposers.values():
                self._spawn(self._tell(peer, notice))
        for answer in ready.answers:
            future = self._asked.get(answer.token)
            if future is not None and not future.done():
                future.set_result(answer)
        rounds, self.core.rounds_of_decisions = self.core.rounds_of_decisions, []
        for count in rounds:
            self._decided(count)
        self._wake()

    def _wake(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        wait_s = self.core.due_s - time.monotonic()
        if wait_s < float("inf"):
            self._alarm = asyncio.get_running_loop().call_later(max(0.0, wait_s), self._step)

    def _spawn(self, sending: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(sending)
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _request(self, name: str, peer: Peer, request: Request) -> None:
        try:
            answer = await peer.attempt("POST", "/paxos/acceptor", encode(request), _TYPE)
        except NoAnswer:
            return  # the round ends without it
        if answer.status == 200:
            reply = decode_reply(answer.body)
            self._give(lambda: self.core.receive(name, reply))

    async def _tell(self, peer: Peer, notice: Notice) -> None:
        try:
            await peer.attempt("POST", "/paxos/proposer", encode(notice), _TYPE)
        except NoAnswer:
            return  # it learns of it from the acceptors
