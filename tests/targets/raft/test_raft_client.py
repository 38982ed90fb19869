"""The client's part in virtual time: every write has its own end, and no two callers retry in step."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from virtual_time import in_virtual_time

from targets.kit import Answer, NoAnswer
from targets.raft.client import BACKOFF, Forwarder, NotLeader, _decode_ask, encode
from targets.raft.messages import Done, Expired, Put, Register
from targets.raft.outcomes import Indeterminate, Refused

pytestmark = pytest.mark.e2e

ALL_S = 5.0
Say = Callable[[object], object]  # what a member answers to a command; an exception is raised, None: never


class Member:
    """A member as its clients see it: answers after `takes_s`, and notes when it was asked."""

    def __init__(self, say: Say, takes_s: float = 0.0) -> None:
        self.say = say
        self.takes_s = takes_s
        self.asked: list[tuple[float, object]] = []

    async def attempt(self, method: str, path: str, body: bytes, headers: object) -> Answer:
        """As a Peer does it."""
        command = _decode_ask(body)
        self.asked.append((asyncio.get_running_loop().time(), command))
        await asyncio.sleep(self.takes_s)
        said = self.say(command)
        if said is None:
            await asyncio.Event().wait()
        if isinstance(said, Exception):
            raise said
        return Answer(200, {}, encode(said))


def client(member: Member, retry: bool = True) -> Forwarder:
    """A client of a cluster of one."""
    peers: dict[str, Any] = {"raft-1": member}
    return Forwarder(None, peers, stale=False, retry=retry, try_s=1.0, all_s=ALL_S, uniform=Random(1).uniform)


def put(*session: int) -> Put:
    """A write."""
    return Put("k", "v", *session)


async def write_at(forwarder: Forwarder, at_s: float) -> tuple[float, object]:
    """When a write that began at `at_s` ended, and how."""
    await asyncio.sleep(at_s)
    outcome = await forwarder.write(put)
    return asyncio.get_running_loop().time(), outcome


def test_writes_without_a_session_end_each_at_its_own_limit() -> None:
    """While no leader opens a session, writes wait side by side: each is refused after `all_s`, none behind another."""

    async def work() -> list[tuple[float, object]]:
        forwarder = client(Member(lambda command: NotLeader(None)))
        ended = await asyncio.gather(*(write_at(forwarder, 0.5 * n) for n in range(4)))
        await forwarder.close()
        return ended

    ended = in_virtual_time(work())
    assert [round(at_s, 6) for at_s, _ in ended] == [5.0, 5.5, 6.0, 6.5]
    assert {outcome for _, outcome in ended} == {Refused(None)}


def test_writes_without_a_session_share_one_opening() -> None:
    """Writes that come while a session is being opened wait for that one and then use it, each with its sequence."""
    member = Member(lambda command: Done(7) if isinstance(command, Register) else Done(8), takes_s=0.1)

    async def work() -> list[tuple[float, object]]:
        forwarder = client(member)
        return await asyncio.gather(*(write_at(forwarder, 0.02 * n) for n in range(4)))

    ended = in_virtual_time(work())
    assert {outcome for _, outcome in ended} == {Done(8)}
    assert [type(command) for _, command in member.asked] == [Register, Put, Put, Put, Put]
    assert [command.sequence for _, command in member.asked if isinstance(command, Put)] == [1, 2, 3, 4]
    assert {command.session for _, command in member.asked if isinstance(command, Put)} == {7}


def test_the_opening_counts_towards_the_limit_of_the_write() -> None:
    """A write whose session took 3 s to open has 2 s left, and is indeterminate where those bring no answer."""

    def say(command: object) -> object:
        return Done(7) if isinstance(command, Register) else None

    async def work() -> tuple[float, object]:
        return await write_at(client(Member(say, takes_s=3.0)), 0.0)

    assert in_virtual_time(work()) == (ALL_S, Indeterminate())


def test_a_failed_opening_is_not_retried_without_retries() -> None:
    """Without retries a write fails with the opening that it waited for."""

    async def work() -> tuple[float, object]:
        return await write_at(client(Member(lambda command: NotLeader(None), takes_s=0.1), retry=False), 0.0)

    assert in_virtual_time(work()) == (0.1, Refused(None))


def test_a_forgotten_session_is_opened_anew() -> None:
    """A write whose session the cluster has forgotten opens another and is done under that."""
    openings: list[object] = []

    def say(command: object) -> object:
        if isinstance(command, Register):
            openings.append(command)
            return Done(len(openings))
        return Expired() if isinstance(command, Put) and command.session == 1 else Done(9)

    async def work() -> tuple[float, object]:
        return await write_at(client(Member(say)), 0.0)

    assert in_virtual_time(work()) == (0.0, Done(9))
    assert len(openings) == 2


def test_callers_that_failed_together_retry_apart() -> None:
    """The waits before retries are drawn anew by each caller, up to a limit that doubles with each retry to 0.48 s."""
    member = Member(lambda command: NoAnswer("raft-1", "refused", ""))

    async def work() -> None:
        forwarder = client(member)
        await asyncio.gather(*(forwarder.register() for _ in range(10)))

    in_virtual_time(work())
    of_each: dict[object, list[float]] = {}
    for at_s, command in member.asked:
        assert isinstance(command, Register)
        of_each.setdefault(command.nonce, []).append(at_s)
    seconds = {times[1] for times in of_each.values()}
    assert len(of_each) == len(seconds) == 10
    for times in of_each.values():
        waits = [later - sooner for sooner, later in itertools.pairwise(times)]
        assert all(wait <= min(BACKOFF.cap_s, BACKOFF.base_s * 2**n) + 1e-9 for n, wait in enumerate(waits))
