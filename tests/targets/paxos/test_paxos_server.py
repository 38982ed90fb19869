"""Paxos on real sockets: commands are chosen, passed on to the leader, and kept over a restart of all acceptors."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from target_bench import Start, series

from targets.kit import Running, running
from targets.kit.logs import Log
from targets.kit.settings import SettingsError, read
from targets.paxos.acceptor import Acceptor
from targets.paxos.messages import Accept, Ballot, Prepare
from targets.paxos.node import AcceptorNode
from targets.paxos.server import build
from targets.paxos.settings import PaxosSettings

NAMES = ("acceptor-1", "acceptor-2", "acceptor-3", "proposer-1", "proposer-2")


class Members:
    """All five, each of which can be stopped and started again at its address."""

    def __init__(self, directory: Path, start: Start, retry: str) -> None:
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in NAMES]
        self.port = {name: here.getsockname()[1] for name, here in zip(NAMES, sockets, strict=True)}
        for here in sockets:
            here.close()
        self.directory, self.retry, self.start = directory, retry, start
        self.up: dict[str, Running] = {}
        self.stacks: dict[str, AsyncExitStack] = {}

    def settings(self, name: str) -> PaxosSettings:
        """What a member is told: proposer-1 is the first to lead."""
        urls: dict[str, Any] = {
            f"{other.replace('-', '_')}_url": f"http://127.0.0.1:{port}" for other, port in self.port.items()
        }
        low_ms = 10 if name == "proposer-1" else 300
        return PaxosSettings(
            service_name=name,
            port=self.port[name],
            data_dir=str(self.directory / name),
            paxos_members=",".join(NAMES),
            paxos_retry=self.retry,  # type: ignore[arg-type]
            paxos_leader_low_ms=low_ms,
            paxos_leader_high_ms=low_ms * 1.5,
            paxos_heartbeat_ms=50,
            paxos_backoff_ms=20,
            **urls,
        )

    async def run(self, *names: str) -> None:
        """Start these."""
        for name in names:
            stack = self.stacks[name] = AsyncExitStack()
            self.up[name] = await stack.enter_async_context(running(self.settings(name), build, Log(name, "error")))

    async def stop(self, *names: str) -> None:
        """End these."""
        for name in names:
            del self.up[name]
            await self.stacks.pop(name).aclose()

    async def append(self, http: ClientSession, at: str, command: str) -> int:
        """The slot of a command that a proposer is asked for."""
        async with http.put(f"{self.up[at].url}/log/{command}") as response:
            assert response.status == 200, await response.text()
            return int((await response.json())["slot"])

    async def told(self, http: ClientSession, at: str, what: str) -> dict[int, list[str]]:
        """What a proposer has learned (`chosen`), or an acceptor holds (`votes`), by slot."""
        async with http.get(f"{self.up[at].url}/{what}") as response:
            return dict((await response.json())[what])


@pytest.fixture(params=["at-once", "backoff", "leader"])
async def members(request: pytest.FixtureRequest, tmp_path: Path, start: Start) -> AsyncIterator[Members]:
    """All five, in each way to retry."""
    members = Members(tmp_path, start, request.param)
    await members.run(*NAMES)
    yield members
    await members.stop(*list(members.up))


async def test_commands_are_chosen(http: ClientSession, members: Members) -> None:
    """At both proposers at once, each in one slot; a majority of acceptors holds it, over a restart of all of them."""
    asked = [("proposer-1" if n % 2 else "proposer-2", f"c{n}") for n in range(12)]
    slots = await asyncio.gather(*(members.append(http, at, command) for at, command in asked))
    chosen = await members.told(http, "proposer-1", "chosen") | await members.told(http, "proposer-2", "chosen")
    for (_, command), slot in zip(asked, slots, strict=True):
        assert [where for where, value in chosen.items() if command in value] == [slot]
    if members.retry == "leader":
        assert series(members.up["acceptor-1"], "paxos_requests_total", kind="prepare") == 1
    await members.stop(*NAMES[:3])
    await members.run(*NAMES[:3])
    votes = [await members.told(http, name, "votes") for name in NAMES[:3]]
    for slot, value in chosen.items():
        assert sum(each.get(slot) == value for each in votes) >= 2
    assert await members.append(http, "proposer-2", "later") > max(slots)


async def test_one_acceptor_and_one_proposer_may_be_gone(http: ClientSession, members: Members) -> None:
    """Two of three acceptors are a majority, and the other proposer takes over."""
    first = await members.append(http, "proposer-2", "a")
    await members.stop("acceptor-3", "proposer-1")
    assert await members.append(http, "proposer-2", "b") > first


async def test_without_a_majority_nothing_is_known(http: ClientSession, tmp_path: Path, start: Start) -> None:
    """504: the command may yet be chosen."""
    members = Members(tmp_path, start, "at-once")
    await members.run("acceptor-1")
    url = "http://127.0.0.1:1"
    alone = PaxosSettings(
        service_name="proposer-1",
        paxos_members="acceptor-1,acceptor-2,acceptor-3,proposer-1",
        acceptor_1_url=members.up["acceptor-1"].url,
        acceptor_2_url=url,
        acceptor_3_url=url,
        paxos_retry="at-once",
        paxos_client_timeout_s=0.2,
        paxos_round_ms=50,
    )
    proposer = await start(alone, build)
    async with http.put(f"{proposer.url}/log/a") as response:
        assert response.status == 504
    await members.stop("acceptor-1")


async def test_an_acceptor_remembers(tmp_path: Path) -> None:
    """Its promise, without a vote too, and its votes: they are on disk when the reply leaves."""
    node = AcceptorNode(tmp_path)
    low, high = Ballot(1, "p1"), Ballot(2, "p2")
    await node.receive(Prepare(low, 1))
    await node.receive(Accept(low, 1, ("a",)))
    await node.receive(Prepare(high, 1))
    node.close()
    again = AcceptorNode(tmp_path)
    assert again.acceptor.promised == high
    reply = await again.receive(Accept(low, 1, ("b",)))
    assert (reply.granted, reply.promised) == (False, high)
    assert again.acceptor.votes[1].value == ("a",)
    again.close()


def test_an_acceptor_promises_a_ballot_once() -> None:
    """So a proposer that restarts and counts again cannot use a ballot that it has used."""
    acceptor = Acceptor()
    assert acceptor.receive(Prepare(Ballot(3, "p1"), 1))[0].granted
    assert not acceptor.receive(Prepare(Ballot(3, "p1"), 1))[0].granted
    assert acceptor.receive(Accept(Ballot(3, "p1"), 1, ("a",)))[0].granted


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"PAXOS_MEMBERS": "acceptor-1,judge-1"}, "distinct names from acceptor-1"),
        ({"PAXOS_MEMBERS": "proposer-1,acceptor-1", "SERVICE_NAME": "proposer-1"}, "ACCEPTOR_1_URL missing"),
        ({"PAXOS_MEMBERS": "acceptor-1"}, "DATA_DIR is missing"),
        (
            {"PAXOS_MEMBERS": "acceptor-1", "DATA_DIR": "/tmp/a", "PAXOS_LEADER_LOW_MS": "9000"},
            "PAXOS_LEADER_HIGH_MS must be no less",
        ),
    ],
)
def test_what_cannot_be_told(said: dict[str, str], words: str) -> None:
    """A member that could not work does not start."""
    with pytest.raises(SettingsError, match=words):
        read(PaxosSettings, {"SERVICE_NAME": "acceptor-1", **said})
