"""Raft over HTTP: real servers on sockets, in this process, with their data on disk."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from waits import until

from targets.kit import Running, SettingsError, running
from targets.kit.settings import read
from targets.raft.server import build
from targets.raft.settings import RaftSettings

pytestmark = pytest.mark.e2e


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on just now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [here.getsockname()[1] for here in sockets]
    for here in sockets:
        here.close()
    return ports


class Cluster:
    """Servers by name, each of which can be stopped and started again; `outsider` is a client of them."""

    def __init__(self, directory: Path, size: int, **more: str) -> None:
        self.directory = directory
        self.names = [f"raft-{n + 1}" for n in range(size)]
        self.ports = dict(zip([*self.names, "outsider"], free_ports(size + 1), strict=True))
        self.more = more
        self.up: dict[str, tuple[AsyncExitStack, Running]] = {}

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    async def start(self, name: str) -> None:
        urls = {f"{other.upper().replace('-', '_')}_URL": self.url(other) for other in self.names if other != name}
        env = {
            "SERVICE_NAME": name,
            "PORT": str(self.ports[name]),
            "LOG_LEVEL": "error",
            "RAFT_PEERS": ",".join(self.names),
            "DATA_DIR": str(self.directory / name),
            "SHUTDOWN_GRACE_S": "0.2",
            **urls,
            **self.more,
        }
        stack = AsyncExitStack()
        self.up[name] = (stack, await stack.enter_async_context(running(read(RaftSettings, env), build)))

    async def stop(self, name: str) -> None:
        await self.up.pop(name)[0].aclose()

    def member(self, name: str) -> Any:
        """The core of a server that is up, through the gauges' own eyes: its registry."""
        registry = self.up[name][1].service.metrics.registry
        return {sample.name: sample.value for family in registry.collect() for sample in family.samples}

    def leader(self) -> str | None:
        return next((name for name in self.up if self.member(name).get("raft_is_leader")), None)


Start = Callable[..., Any]


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Start]:
    """Start so many servers and wait for a leader; all are stopped at the end."""
    made: list[Cluster] = []

    async def start(size: int = 3, **more: str) -> Cluster:
        here = Cluster(tmp_path, size, **more)
        made.append(here)
        for name in here.names:
            await here.start(name)
        await until(here.leader)
        return here

    yield start
    for here in made:
        for name in list(here.up):
            await here.stop(name)


async def call(http: ClientSession, method: str, url: str, json: object = None, **headers: str) -> tuple[int, Any]:
    """Status and JSON of one request."""
    async with http.request(method, url, json=json, headers=headers) as response:
        return response.status, await response.json(content_type=None)


async def test_any_server_serves(cluster: Start, http: ClientSession) -> None:
    """Written through one server, a value is read through every other at once; absent keys are null."""
    here = await cluster()
    for n, name in enumerate(here.names):
        status, said = await call(http, "PUT", f"{here.url(name)}/kv/x", {"value": str(n)})
        assert (status, said["value"]) == (200, str(n))
        for other in here.names:
            assert (await call(http, "GET", f"{here.url(other)}/kv/x"))[1]["value"] == str(n)
    assert (await call(http, "GET", f"{here.url('raft-1')}/kv/none"))[1]["value"] is None


async def test_swap(cluster: Start, http: ClientSession) -> None:
    """A compare-and-set takes place only where the expected value stands."""
    here = await cluster(1)
    url = f"{here.url('raft-1')}/kv/x/cas"
    assert (await call(http, "POST", url, {"expect": None, "value": "a"}))[1]["swapped"] is True
    status, said = await call(http, "POST", url, {"expect": "b", "value": "c"})
    assert (status, said["swapped"], said["value"]) == (200, False, "a")


async def test_retried_write_applies_once(cluster: Start, http: ClientSession) -> None:
    """A write sent again under its session and sequence gets its first answer, and changes nothing."""
    here = await cluster()
    url = here.url("raft-1")
    session = str((await call(http, "POST", f"{url}/sessions"))[1]["session"])
    first = await call(http, "PUT", f"{url}/kv/x", {"value": "a"}, Session=session, Sequence="1")
    await call(http, "PUT", f"{url}/kv/x", {"value": "b"})
    again = await call(http, "PUT", f"{here.url('raft-2')}/kv/x", {"value": "a"}, Session=session, Sequence="1")
    assert again == first
    assert (await call(http, "GET", f"{url}/kv/x"))[1]["value"] == "b"


async def test_bad_sessions(cluster: Start, http: ClientSession) -> None:
    """A session that nobody opened is gone, and half a session is a mistake."""
    here = await cluster(1)
    url = f"{here.url('raft-1')}/kv/x"
    assert (await call(http, "PUT", url, {"value": "a"}, Session="999", Sequence="1"))[0] == 410
    assert (await call(http, "PUT", url, {"value": "a"}, Session="999"))[0] == 400
    assert (await call(http, "GET", url))[1]["value"] is None


async def test_new_leader(cluster: Start, http: ClientSession) -> None:
    """When the leader goes, another leads a later term with all that was written; the old one catches up."""
    here = await cluster(RAFT_SNAPSHOT_EVERY="5")
    old = here.leader()
    for n in range(12):
        assert (await call(http, "PUT", f"{here.url(old)}/kv/{n}", {"value": str(n)}))[0] == 200
    await here.stop(old)
    rest = here.url(next(iter(here.up)))
    assert (await call(http, "PUT", f"{rest}/kv/0", {"value": "new"}))[0] == 200
    new = await until(here.leader)
    assert new != old
    for n in range(12):
        await call(http, "PUT", f"{rest}/kv/{n}", {"value": "new"})
    await here.start(old)
    await until(lambda: here.member(old)["raft_commit_index"] == here.member(new)["raft_commit_index"])
    assert (await call(http, "GET", f"{here.url(old)}/kv/3"))[1]["value"] == "new"
    led = [n for name in here.names for n in (await call(http, "GET", f"{here.url(name)}/status"))[1]["led_terms"]]
    assert led
    assert len(led) == len(set(led))


async def test_logs_agree(cluster: Start, http: ClientSession) -> None:
    """Committed entries stand at the same index with the same term and content on every server."""
    here = await cluster()
    for n in range(5):
        await call(http, "PUT", f"{here.url('raft-2')}/kv/x", {"value": str(n)})
    await until(lambda: len({here.member(name)["raft_commit_index"] for name in here.names}) == 1)
    said = [(await call(http, "GET", f"{here.url(name)}/log"))[1] for name in here.names]
    logs = [each["entries"] for each in said]
    assert logs[0] == logs[1] == logs[2]
    assert len(logs[0]) >= 6
    assert logs[0][-1][3:] == ["x", "4"]
    assert [logs[0][-1][1], here.leader()] in said[0]["leaders"]
    assert said[0]["leaders"] == said[1]["leaders"] == said[2]["leaders"]


@pytest.mark.parametrize(("storage", "kept"), [("disk", "kept"), ("memory", None)])
async def test_restart_of_all(cluster: Start, http: ClientSession, storage: str, kept: str | None) -> None:
    """What was acknowledged, and who led, is there after every server was gone at once; in memory, nothing is."""
    here = await cluster(RAFT_STORAGE=storage)
    await call(http, "PUT", f"{here.url('raft-1')}/kv/x", {"value": "kept"})
    first = [[here.member(here.leader())["raft_term"], here.leader()]]
    for name in here.names:
        await here.stop(name)
    for name in here.names:
        await here.start(name)
    assert (await call(http, "GET", f"{here.url('raft-3')}/kv/x"))[1]["value"] == kept
    leaders = (await call(http, "GET", f"{here.url(here.leader())}/log"))[1]["leaders"]
    assert len({term for term, _ in leaders}) == (2 if kept else 1)
    assert not kept or leaders[:1] == first


async def test_minority(cluster: Start, http: ClientSession) -> None:
    """Without a majority nothing is promised: a write is refused or doubtful, a linearizable read not answered."""
    here = await cluster(RAFT_CLIENT_TIMEOUT_S="1.5")
    for name in here.names[1:]:
        await here.stop(name)
    url = f"{here.url('raft-1')}/kv/x"
    assert (await call(http, "PUT", url, {"value": "a"}))[0] in (503, 504)
    await until(lambda: not here.member("raft-1")["raft_is_leader"])
    status, said = await call(http, "PUT", url, {"value": "a"})
    assert (status, said["type"].rpartition(":")[2]) == (503, "no-leader")
    assert (await call(http, "GET", url))[0] in (503, 504)


async def test_stale_reads(cluster: Start, http: ClientSession) -> None:
    """With RAFT_READS=stale a server cut off from all others still answers, whatever it last knew."""
    here = await cluster(RAFT_READS="stale")
    await call(http, "PUT", f"{here.url('raft-1')}/kv/x", {"value": "a"})
    await until(lambda: len({here.member(name)["raft_last_applied"] for name in here.names}) == 1)
    for name in here.names[1:]:
        await here.stop(name)
    assert (await call(http, "GET", f"{here.url('raft-1')}/kv/x"))[1]["value"] == "a"


async def test_stale_reads_of_an_outsider(cluster: Start, http: ClientSession) -> None:
    """With RAFT_READS=stale an outsider asks all members in turn, and has answers from the one that is left."""
    here = await cluster(RAFT_READS="stale")
    await here.start("outsider")
    url = f"{here.url('outsider')}/kv/x"
    await call(http, "PUT", url, {"value": "a"})
    await until(lambda: len({here.member(name)["raft_last_applied"] for name in here.names}) == 1)
    for _ in here.names:
        assert (await call(http, "GET", url))[1]["value"] == "a"
    for name in here.names[1:]:
        await here.stop(name)
    assert (await call(http, "GET", url))[1]["value"] == "a"


@pytest.mark.parametrize("retry", ["on", "off"])
async def test_outsider(cluster: Start, http: ClientSession, retry: str) -> None:
    """A service that is no member finds the leader for its clients, with or without retries."""
    here = await cluster(RAFT_RETRY=retry)
    await here.start("outsider")
    url = here.url("outsider")
    async with asyncio.timeout(10):
        while (await call(http, "PUT", f"{url}/kv/x", {"value": "a"}))[0] != 200:  # noqa: ASYNC110 - it sets no Event
            await asyncio.sleep(0.05)
    assert (await call(http, "GET", f"{url}/kv/x"))[1]["value"] == "a"
    assert (await call(http, "GET", f"{url}/status"))[1]["role"] == "client"
    assert (await call(http, "GET", f"{url}/log"))[0] == 404
    if retry == "on":
        await here.stop(await until(here.leader))
        assert (await call(http, "PUT", f"{url}/kv/x", {"value": "b"}))[0] == 200
        assert (await call(http, "GET", f"{url}/kv/x"))[1]["value"] == "b"


async def test_nobody_there(cluster: Start, http: ClientSession) -> None:
    """An outsider that reaches nobody says that nothing was done."""
    here = await cluster(RAFT_CLIENT_TIMEOUT_S="0.3")
    await here.start("outsider")
    for name in here.names:
        await here.stop(name)
    assert (await call(http, "PUT", f"{here.url('outsider')}/kv/x", {"value": "a"}))[0] == 503


async def test_garbage_between_members(cluster: Start, http: ClientSession) -> None:
    """What is no message is refused as such."""
    here = await cluster(1)
    for path in ("/raft/append-entries", "/raft/ask"):
        async with http.post(f"{here.url('raft-1')}{path}", data=b"\xc1") as response:
            assert response.status == 400


GOOD = {
    "SERVICE_NAME": "raft-1",
    "RAFT_PEERS": "raft-1,raft-2",
    "RAFT_2_URL": "http://127.0.0.1:1",
    "DATA_DIR": "/tmp/unused",
}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"RAFT_PEERS": "raft-1,raft-1"}, "distinct names"),
        ({"RAFT_PEERS": "alice"}, "distinct names"),
        ({"RAFT_PEERS": "raft-1,raft-2,raft-3"}, "RAFT_3_URL missing"),
        ({"DATA_DIR": ""}, "DATA_DIR"),
        ({"RAFT_ELECTION_LOW_MS": "60"}, "RAFT_ELECTION_LOW_MS"),
        ({"RAFT_READS": "sometimes"}, "read-index or stale"),
    ],
)
def test_settings(wrong: dict[str, str], said: str) -> None:
    """Settings that cannot be are named, with what would be right."""
    assert read(RaftSettings, GOOD).timing.election_low_s == 0.3
    with pytest.raises(SettingsError) as refused:
        read(RaftSettings, {**GOOD, **wrong})
    assert any(said in problem for problem in refused.value.problems)


def test_fixed_election() -> None:
    """With RAFT_ELECTION=fixed every timeout is the same."""
    timing = read(RaftSettings, {**GOOD, "RAFT_ELECTION": "fixed"}).timing
    assert timing.election_low_s == timing.election_high_s
