"""A core with real time, a real disk and real peers around it."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Mapping
from random import Random

from targets.kit import NoAnswer, Peer
from targets.kit.logs import Log
from targets.raft import messages
from targets.raft.core import Raft, Role
from targets.raft.messages import AppendEntries, Command, Reply, Request, RequestVote, Result
from targets.raft.outcomes import Answer, Found, Indeterminate, Refused, Save, Timing
from targets.raft.storage import MemoryStorage, Storage
from targets.raft.turns import Turns

PATHS: Mapping[type[Request], str] = {
    RequestVote: "/raft/request-vote",
    AppendEntries: "/raft/append-entries",
    messages.InstallSnapshot: "/raft/install-snapshot",
}
Outcome = Result | Found | Refused | Indeterminate


class Node:
    """
    A member of the cluster, alive while `run` runs.

    It takes its turns one after another, saves in a thread, and sends each request in a task of its own.
    """

    def __init__(
        self,
        name: str,
        peers: Mapping[str, Peer],
        storage: Storage | MemoryStorage,
        timing: Timing,
        rng: Random,
        log: Log,
    ) -> None:
        self.peers = peers
        self.storage = storage
        self.log = log
        self.core = Raft(name, (name, *peers), storage.stored, timing, rng, time.monotonic())
        self.led: list[int] = []  # terms that this server has led since its start
        self.heard: dict[int, set[str]] = {}  # the leaders of each term that this server has heard of since its start
        self._turns = Turns(self.core, time.monotonic, self._save, self._spawn, self._answer)
        self._awake = asyncio.Event()
        self._waiting: dict[int, asyncio.Future[Outcome]] = {}
        self._tokens = itertools.count(1)
        self._sending: set[asyncio.Task[None]] = set()
        self._seen: tuple[Role, int, str | None] = (self.core.role, self.core.current_term, None)

    async def run(self) -> None:
        """Take turns until cancelled. Raises what the disk raises: what it cannot save it cannot promise."""
        while True:
            await self._next()
            await self._turns.turn()
            self._note_what_changed()

    async def on_request(self, request: Request) -> Reply:
        """A peer's request, answered once what the answer promises is on disk."""
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._turns.request(request, lambda reply: None if future.done() else future.set_result(reply))
        self._awake.set()
        return await future

    async def propose(self, command: Command) -> Outcome:
        """Replicate a command; waits until its fate is known or this task is cancelled."""
        return await self._ask(lambda token: self.core.propose(token, command))

    async def read(self, key: str) -> Outcome:
        """Read a key linearizably."""
        return await self._ask(lambda token: self.core.read(token, key))

    def read_applied(self, key: str) -> Found:
        """Read a key as it stands here, however old that is."""
        return Found(self.core.last_applied, self.core.machine.read(key))

    async def _ask(self, ask: Callable[[int], None]) -> Outcome:
        token = next(self._tokens)
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting[token] = future
        self._give(lambda: ask(token))
        try:
            return await future
        finally:
            self._waiting.pop(token, None)

    def _give(self, take: Callable[[], None]) -> None:
        self._turns.give(take)
        self._awake.set()

    async def _save(self, save: Save) -> None:
        await asyncio.to_thread(self.storage.save, save)

    def _answer(self, answer: Answer) -> None:
        waiting = self._waiting.pop(answer.token, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer.outcome)

    async def _next(self) -> None:
        """Wait for something to come in, or for the core's next time."""
        if not self._turns.are_due:
            self._awake.clear()
            try:
                async with asyncio.timeout(max(0.0, self.core.due_s - time.monotonic())):
                    await self._awake.wait()
            except TimeoutError:
                pass

    def _spawn(self, peer: str, request: Request) -> None:
        task = asyncio.create_task(self._send(peer, request))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, peer: str, request: Request) -> None:
        headers = {"Content-Type": "application/msgpack"}
        try:
            answer = await self.peers[peer].attempt("POST", PATHS[type(request)], messages.encode(request), headers)
        except NoAnswer:
            return  # the protocol asks again by itself
        if answer.status == 200:
            reply = messages.decode_reply(answer.body)
            self._give(lambda: self.core.receive_reply(peer, reply))

    def _note_what_changed(self) -> None:
        now = (self.core.role, self.core.current_term, self.core.leader_id)
        if now != self._seen:
            if now[0] is Role.LEADER and self._seen[:2] != now[:2]:
                self.log.moment("elected leader", term=now[1])
            elif self._seen[0] is Role.LEADER and now[0] is not Role.LEADER:
                self.log.moment("stepped down", term=now[1])
            if now[0] is Role.LEADER and now[1] not in self.led:
                self.led.append(now[1])
            if now[2] is not None:
                self.heard.setdefault(now[1], set()).add(now[2])
            self._seen = now
            self.log.info("role", role=now[0].value, term=now[1], leader=now[2])
