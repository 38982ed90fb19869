"""Nodes that answer by themselves: clocks, last-writer-wins, CRDTs and gossip; and our Raft in a node's place."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from aiohttp import ClientSession
from target_bench import Start

from targets.kit import Running
from targets.kv.clock import Clock, Stamp
from targets.kv.objects import Crdts, Objects, Registers, Replica, State, decode, encode
from targets.kv.server import build
from targets.kv.settings import KvSettings

NAMES = ("kv-1", "kv-2", "kv-3")
Cluster = Callable[..., Awaitable[list[Running]]]


class Wall:
    """A wall clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


def test_a_hybrid_clock_follows_what_it_saw() -> None:
    """A write after one that was seen has the higher stamp, whatever the wall clocks say; it is near the wall clock."""
    wall = Wall()
    ahead, behind = Clock("a", "hybrid", ahead_s=10, now_s=wall), Clock("b", "hybrid", now_s=wall)
    seen = ahead.now()
    assert behind.now() < seen
    behind.saw(seen)
    assert seen < behind.now() < behind.now()
    wall.now_s += 60
    assert behind.now() == Stamp(1_060_000, 0, "b")


def test_a_wall_clock_that_is_behind_stays_behind() -> None:
    """Its writes lose to older ones of a node whose clock is ahead."""
    wall = Wall()
    ahead, behind = Clock("a", "wall", ahead_s=10, now_s=wall), Clock("b", "wall", now_s=wall)
    seen = ahead.now()
    behind.saw(seen)
    wall.now_s += 9
    assert behind.now() < seen
    replica = Replica("b", behind)
    replica.merge(State(registers=_written_by(Replica("a", ahead), "k", "old")))
    replica.put("k", "new")
    assert replica.get("k") == "old"


def _written_by(replica: Replica, key: str, value: str) -> Any:
    return replica.put(key, value).registers


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("kind", [Registers, Crdts])
def test_replicas_converge_in_any_order(seed: int, kind: Callable[[Replica], Objects]) -> None:
    """Parts that arrive in any order, late and twice, make equal replicas; CRDTs lose no add and no count."""
    rng, wall = Random(seed), Wall()
    replicas = [Replica(name, Clock(name, "hybrid", now_s=wall)) for name in NAMES]
    objects = [kind(replica) for replica in replicas]
    parts: list[bytes] = []
    added, counted = set(), 0
    for n in range(60):
        wall.now_s += rng.random()
        at = rng.randrange(3)
        if rng.random() < 0.6:
            parts.append(encode(objects[at].add("s", f"e{n}")))
            added.add(f"e{n}")
        elif rng.random() < 0.5 and objects[at].members("s"):
            element = rng.choice(list(objects[at].members("s")))
            removed, part = objects[at].remove("s", element)
            assert removed
            parts.append(encode(part))
            added.discard(element)
        else:
            parts.append(encode(objects[at].count("c", 2)))
            counted += 2
        if rng.random() < 0.3:
            replicas[rng.randrange(3)].merge(decode(rng.choice(parts)))
    for replica in replicas:
        for part in rng.sample(parts * 2, 2 * len(parts)):
            replica.merge(decode(part))
    assert len({str(each.members("s")) for each in objects}) == len({each.value("c") for each in objects}) == 1
    if kind is Crdts:
        assert (set(objects[0].members("s")), objects[0].value("c")) == (added, counted)


def test_an_add_that_a_removal_had_not_seen_stays() -> None:
    """Observed-remove: the concurrent add of the same element wins."""
    wall = Wall()
    one, other = (Replica(name, Clock(name, "hybrid", now_s=wall)) for name in ("a", "b"))
    first, second = Crdts(one), Crdts(other)
    other.merge(first.add("s", "x"))
    _, removal = second.remove("s", "x")
    again = first.add("s", "x")
    for replica, part in itertools.product((one, other), (removal, again)):
        replica.merge(decode(encode(part)))
    assert first.members("s") == second.members("s") == ["x"]
    assert second.remove("s", "y")[0] is False
    assert first.count("c", -3).counters["c"].value == -3


def test_a_node_that_restarts_loses_neither_adds_nor_counts() -> None:
    """It begins with nothing, gets all back, and goes on under another account: no tag is used again."""
    clock = Clock("a", "hybrid", now_s=Wall())
    before, other = Replica("a", clock), Replica("b", clock)
    objects = Crdts(before)
    for part in (objects.add("s", "x"), objects.remove("s", "x")[1], objects.count("c", 3)):
        other.merge(decode(encode(part)))
    after = Replica("a", clock)
    restarted = Crdts(after)
    parts = [restarted.add("s", "y"), restarted.count("c", 2)]
    after.merge(other.state)
    for part in parts:
        other.merge(decode(encode(part)))
    assert restarted.members("s") == Crdts(other).members("s") == ["y"]
    assert restarted.value("c") == Crdts(other).value("c") == 5


@pytest.fixture
def cluster(start: Start, tmp_path: Path) -> Cluster:
    """Starts three nodes with these settings."""

    async def cluster(**said: Any) -> list[Running]:
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in NAMES]
        ports = {name: here.getsockname()[1] for name, here in zip(NAMES, sockets, strict=True)}
        for here in sockets:
            here.close()
        urls: dict[str, Any] = {f"{n.replace('-', '_')}_url": f"http://127.0.0.1:{ports[n]}" for n in NAMES}
        return [
            await start(
                KvSettings(
                    service_name=name,
                    port=ports[name],
                    data_dir=str(tmp_path / name),
                    kv_peers=",".join(NAMES),
                    **urls,
                    **said,
                ),
                build,
            )
            for name in NAMES
        ]

    return cluster


async def told(http: ClientSession, node: Running) -> Any:
    """All that a node holds."""
    async with http.get(f"{node.url}/kv") as response:
        return await response.json()


@pytest.mark.parametrize("mode", ["last-writer-wins", "crdt"])
async def test_nodes_converge(http: ClientSession, cluster: Cluster, mode: str) -> None:
    """A change reaches the others by itself, and anti-entropy brings what they have missed."""
    nodes = await cluster(kv_mode=mode, kv_gossip_ms=20)
    urls = [node.url for node in nodes]
    async with http.put(f"{urls[0]}/kv/k", json={"value": "v"}) as put, http.get(f"{urls[0]}/kv/k") as got:
        assert (put.status, (await got.json())["value"]) == (200, "v")
    async with http.put(f"{urls[1]}/sets/s/x") as added, http.post(f"{urls[2]}/counters/c", json={"by": 2}) as counted:
        assert (added.status, (await counted.json())["value"]) == (200, 2)
    expected = {"registers": {"k": "v"}, "sets": {"s": ["x"]}, "counters": {"c": 2}, "members": ["s/x"]}
    async with asyncio.timeout(5):
        while [await told(http, node) for node in nodes] != [expected] * 3:  # noqa: ASYNC110 - only nodes can tell
            await asyncio.sleep(0.02)
    async with http.delete(f"{urls[0]}/sets/s/x") as removed, http.get(f"{urls[0]}/sets/s") as members:
        assert (await removed.json(), (await members.json())["members"]) == ({"removed": True}, [])
    async with http.post(f"{urls[0]}/gossip/change", data=b"\xc1") as malformed:
        assert malformed.status == 400


async def test_raft_in_a_nodes_place(http: ClientSession, cluster: Cluster) -> None:
    """The same requests, answered by a log: what one node has acknowledged every other one reads."""
    nodes = await cluster(kv_mode="raft")
    async with http.put(f"{nodes[0].url}/kv/k", json={"value": "v"}) as put:
        assert put.status == 200
    for node in nodes:
        async with http.get(f"{node.url}/kv/k") as got:
            assert (await got.json())["value"] == "v"
    assert (await told(http, nodes[0]))["registers"] == {"k": "v"}
