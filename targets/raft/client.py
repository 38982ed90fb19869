"""The client's part (section 8; thesis 6): find the leader, retry where that is safe, report what is indeterminate."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import msgspec
from msgspec import Struct

from targets.kit import Answer, NoAnswer, Peer, Problem
from targets.patterns.retry import Backoff
from targets.patterns.single_flight import SingleFlight
from targets.raft.messages import Cas, Command, Done, Expired, Put, Register, Result
from targets.raft.node import Node
from targets.raft.outcomes import Found, Indeterminate, Refused

# Before each retry that has no leader to go to. With full jitter: the callers of a leader that died have all failed at
# the same moment. At first 0.03 s on average, since an election lasts some hundred ms; later 0.24 s on average, so that
# the callers who wait for a leader do not keep the servers from electing one.
BACKOFF = Backoff(base_s=0.06, cap_s=0.48)
_REDIRECTS = 2  # followed also without retries: a server that refuses has surely done nothing


class Read(Struct, frozen=True, tag="read"):
    """A read of one key: linearizable, or whatever the server asked has applied so far."""

    key: str
    stale: bool = False


class ReadReply(Struct, frozen=True, tag="found"):
    """A read's answer, as it travels."""

    index: int
    value: str | None


class NotLeader(Struct, frozen=True, tag="refused"):
    """A server that does not lead; `leader_id` may."""

    leader_id: str | None


class LostLeadership(Struct, frozen=True, tag="doubtful"):
    """A server that stopped leading meanwhile."""


Ask = Command | Read
Outcome = Result | Found | Refused | Indeterminate
_decode_ask = msgspec.msgpack.Decoder(Ask).decode
_decode_told = msgspec.msgpack.Decoder(Result | ReadReply | NotLeader | LostLeadership).decode
encode = msgspec.msgpack.encode


async def answer_ask(node: Node, body: bytes) -> bytes:
    """What a member answers to `POST /raft/ask`: it never passes a request on to another."""
    outcome = await ask_node(node, _decode_ask(body))
    match outcome:
        case Found():
            return encode(ReadReply(outcome.index, outcome.value))
        case Refused():
            return encode(NotLeader(outcome.leader_id))
        case Indeterminate():
            return encode(LostLeadership())
    return encode(outcome)


async def ask_node(node: Node, ask: Ask) -> Outcome:
    """Ask the member in this process."""
    if isinstance(ask, Read):
        return node.read_applied(ask.key) if ask.stale else await node.read(ask.key)
    return await node.propose(ask)


def told(answer: Answer) -> Outcome:
    """What a member answered."""
    if answer.status != 200:
        return Indeterminate()
    said: Result | ReadReply | NotLeader | LostLeadership = _decode_told(answer.body)
    match said:
        case ReadReply():
            return Found(said.index, said.value)
        case NotLeader():
            return Refused(said.leader_id)
        case LostLeadership():
            return Indeterminate()
    return said


def problem_of(outcome: Outcome) -> Problem:
    """The answer where there is no result: 503 says that nothing was done, 504 that nobody knows, 410 in between."""
    match outcome:
        case Refused():
            return Problem(503, "no-leader", "No leader was found, and nothing was done.", {"Retry-After": "1"})
        case Expired():
            return Problem(
                410, "session-expired", "The session is not known any more; nothing was done by this request."
            )
        case Indeterminate():
            return Problem(504, "outcome-unknown", "The leader fell silent: this may or may not happen, even later.")
    raise TypeError(outcome)


@dataclass
class Session:
    """This process's session with the state machine: many writes at once, each with a sequence of its own."""

    number: int
    last: int = 0
    under_way: set[int] = field(default_factory=set)

    def begin(self) -> int:
        """The next sequence."""
        self.last += 1
        self.under_way.add(self.last)
        return self.last

    @property
    def settled(self) -> int:
        """No sequence below this will be sent again."""
        return min(self.under_way, default=self.last)


class Forwarder:
    """Asks the cluster on behalf of clients; `node` is the member in this process, if it is one."""

    def __init__(
        self,
        node: Node | None,
        peers: Mapping[str, Peer],
        stale: bool,
        retry: bool,
        try_s: float,
        all_s: float,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.node = node
        self.peers = peers
        self.stale = stale
        self.retry = retry
        self.try_s = try_s
        self.all_s = all_s
        self._uniform = uniform
        self._hint: str | None = None
        self._turns = itertools.cycle(peers) if peers else itertools.repeat("")
        self._session: Session | None = None
        self._openings: SingleFlight[Session | None] = SingleFlight()

    async def close(self) -> None:
        """Give up an opening of a session that is still in flight."""
        await self._openings.close()

    async def read(self, key: str) -> Outcome:
        """Read; retried without harm. A stale read goes to the member here, or to all members in turn."""
        return await self.ask(Read(key, self.stale))

    async def write(self, make: Callable[[int, int, int], Put | Cas]) -> Outcome:
        """
        Write once, under this process's session: `make` gets session, sequence and settled.

        Indeterminate where the write may or may not happen, even later; Refused where it surely did not. That takes
        `all_s` at most, the opening of a session included.
        """
        until_s = asyncio.get_running_loop().time() + self.all_s
        for _ in range(2):  # a session that the cluster has forgotten is opened anew
            session = await self._open(until_s)
            if session is None:
                return Refused(None)  # whatever became of the opening, nothing was written
            sequence = session.begin()
            try:
                outcome = await self._ask(make(session.number, sequence, session.settled), until_s)
            finally:
                session.under_way.discard(sequence)
            if not isinstance(outcome, Expired):
                return outcome
            self._session = None if self._session is session else self._session
        return Refused(None)

    async def register(self) -> Outcome:
        """Open a session for a client that numbers its writes itself."""
        return await self.ask(Register(os.urandom(8).hex()))

    async def _open(self, until_s: float) -> Session | None:
        """This process's session. All writes that lack one share one opening; each waits for it until its own end."""
        try:
            async with asyncio.timeout_at(until_s):
                while self._session is None:
                    opened = await self._openings.do("session", self._opened)
                    self._session = self._session or opened
                    if opened is None and not self.retry:
                        return None
        except TimeoutError:
            return None
        return self._session

    async def _opened(self) -> Session | None:
        outcome = await self.register()
        return Session(outcome.index) if isinstance(outcome, Done) else None

    async def ask(self, ask: Ask) -> Outcome:
        """
        Ask until there is an answer, `all_s` at most; without `retry`, once, but for redirects.

        Expired only where no attempt before can have been applied.
        """
        return await self._ask(ask, asyncio.get_running_loop().time() + self.all_s)

    async def _ask(self, ask: Ask, until_s: float) -> Outcome:
        indeterminate, trying, tries, waits = False, False, 0, 0
        try:
            async with asyncio.timeout_at(until_s):
                while True:
                    trying = True
                    outcome = await self._try(ask)
                    trying, tries = False, tries + 1
                    if isinstance(outcome, Done | Found):
                        return outcome
                    if isinstance(outcome, Expired):
                        return Indeterminate() if indeterminate else outcome
                    indeterminate |= isinstance(outcome, Indeterminate)
                    self._hint = outcome.leader_id if isinstance(outcome, Refused) else None
                    if not self.retry and (indeterminate or self._hint is None or tries > _REDIRECTS):
                        return outcome
                    if self._hint is None:
                        waits += 1
                        await asyncio.sleep(BACKOFF.wait_s(waits, self._uniform))
        except TimeoutError:
            return (
                Indeterminate() if indeterminate or trying else Refused(None)
            )  # an attempt cut short may have been received

    async def _try(self, ask: Ask) -> Outcome:
        """One attempt at the likeliest leader; a stale read needs none."""
        name = self._hint or (self.node.core.leader_id if self.node else None)
        if isinstance(ask, Read) and ask.stale:
            name = None
        if self.node is not None and name in (None, self.node.core.id):
            try:
                async with asyncio.timeout(self.try_s):
                    return await ask_node(self.node, ask)
            except TimeoutError:
                return Indeterminate()
        try:
            return told(await self.peers[name or next(self._turns)].attempt("POST", "/raft/ask", encode(ask), _TYPE))
        except NoAnswer as none:
            return Refused(None) if none.never_sent else Indeterminate()


_TYPE = {"Content-Type": "application/msgpack"}
