"""The key-value store: quorums, versions, read repair, and what a replica remembers; nodes on real sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from target_bench import Start, series

from targets.kit import Running
from targets.kit.settings import SettingsError, read
from targets.kv.registers import Held, Replica, Version
from targets.kv.server import build
from targets.kv.settings import KvSettings

NAMES = ("kv-1", "kv-2", "kv-3")
NOWHERE = "http://127.0.0.1:1"
Cluster = Callable[..., Awaitable[list[Running]]]


@pytest.fixture
def cluster(start: Start, tmp_path: Path) -> Cluster:
    """Starts the nodes `up` of three, with these settings; the others cannot be reached."""

    async def cluster(up: tuple[str, ...] = NAMES, **said: Any) -> list[Running]:
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in NAMES]
        ports = {name: here.getsockname()[1] for name, here in zip(NAMES, sockets, strict=True)}
        for here in sockets:
            here.close()
        urls: dict[str, Any] = {
            f"{name.replace('-', '_')}_url": f"http://127.0.0.1:{ports[name]}" if name in up else NOWHERE
            for name in NAMES
        }
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
            for name in up
        ]

    return cluster


async def get(http: ClientSession, node: Running) -> tuple[int, Any]:
    """Status and value of a read of `k`."""
    async with http.get(f"{node.url}/kv/k") as response:
        return response.status, (await response.json()).get("value")


async def put(http: ClientSession, node: Running, value: str) -> tuple[int, Any]:
    """Status and version of a write to `k`."""
    async with http.put(f"{node.url}/kv/k", json={"value": value}) as response:
        return response.status, (await response.json()).get("version")


async def holders(http: ClientSession, nodes: list[Running], value: str) -> list[str]:
    """The nodes whose own replica has that value of `k`."""
    found = []
    for node in nodes:
        async with http.get(f"{node.url}/replica") as response:
            if (await response.json()).get("k", {}).get("value") == value:
                found.append(node.service.name)
    return found


@pytest.mark.parametrize(("reads", "writes"), [(2, 2), (1, 3), (3, 1)])
async def test_a_read_sees_the_last_write(http: ClientSession, cluster: Cluster, reads: int, writes: int) -> None:
    """Where R + W > N, whichever nodes are asked; a write's version is above that of the write before it."""
    nodes = await cluster(kv_read_quorum=reads, kv_write_quorum=writes, kv_read_repair=False)
    for n, node in enumerate(nodes * 2, start=1):
        assert await put(http, node, f"v{n}") == (200, [n, node.service.name])
        for other in nodes:
            assert await get(http, other) == (200, f"v{n}")


async def test_writes_at_once_have_versions_of_their_own(http: ClientSession, cluster: Cluster) -> None:
    """Two writes through one node that see the same highest version do not share the next."""
    nodes = await cluster()
    answers = await asyncio.gather(*(put(http, nodes[0], f"v{n}") for n in range(8)))
    assert sorted(version[0] for _, version in answers) == list(range(1, 9))


@pytest.mark.parametrize("repair", [False, True])
async def test_a_write_that_reached_one_replica(http: ClientSession, cluster: Cluster, repair: bool) -> None:
    """A read that returns it leaves it on one replica; with read repair, on two, so that each later read sees it."""
    nodes = await cluster(kv_read_repair=repair, barriers=True)
    assert (await put(http, nodes[0], "old"))[0] == 200
    barrier = f"{nodes[0].url}/barriers/between-replicas"
    armed = asyncio.create_task(http.post(barrier, json={"within_s": 5, "hold_s": 60}))
    while not nodes[0].service.barriers.point("between-replicas").is_armed:  # noqa: ASYNC110 - it sets no Event
        await asyncio.sleep(0)
    write = asyncio.create_task(put(http, nodes[0], "new"))
    assert (await (await armed).json())["by"] == "k"
    assert await get(http, nodes[0]) == (200, "new")
    have = len(await holders(http, nodes, "new"))
    assert have >= 2 if repair else have == 1
    assert series(nodes[0], "kv_repairs_total") == (1 if repair else 0)
    if repair:
        assert [await get(http, node) for node in nodes] == [(200, "new")] * 3
    async with http.delete(barrier):
        assert (await write)[0] == 200


async def test_agreement_is_not_written_back(http: ClientSession, cluster: Cluster) -> None:
    """A read whose R replicas agree, W of them, has nothing to repair."""
    nodes = await cluster()
    await put(http, nodes[0], "v")
    async with asyncio.timeout(5):
        while len(await holders(http, nodes, "v")) < 3:  # noqa: ASYNC110 - only the replicas can tell
            await asyncio.sleep(0.01)
    await get(http, nodes[1])
    assert series(nodes[1], "kv_repairs_total") == 0


async def test_without_r_replicas_nothing_is_done(http: ClientSession, cluster: Cluster) -> None:
    """A read has no answer, and a write that does not know the versions writes nothing."""
    (alone,) = await cluster(("kv-1",))
    assert (await get(http, alone))[0] == 503
    assert (await put(http, alone, "a"))[0] == 503
    assert await holders(http, [alone], "a") == []


async def test_without_w_replicas_a_write_is_indeterminate(http: ClientSession, cluster: Cluster) -> None:
    """It is on those that have it, and may be read."""
    (alone,) = await cluster(("kv-1",), kv_read_quorum=1, kv_read_repair=False)
    assert (await put(http, alone, "b"))[0] == 504
    assert await get(http, alone) == (200, "b")


async def test_a_dead_replica_is_no_hindrance(http: ClientSession, cluster: Cluster) -> None:
    """Two of three suffice for quorums of two."""
    nodes = await cluster(("kv-1", "kv-2"))
    assert (await put(http, nodes[0], "a"))[0] == 200
    assert await get(http, nodes[1]) == (200, "a")


async def test_a_replica_remembers(tmp_path: Path) -> None:
    """The newest version of each key is there after a restart; an older one that comes late replaces nothing."""
    replica = Replica(tmp_path)
    new, old = Held("k", Version(2, "kv-1"), "new"), Held("k", Version(1, "kv-2"), "old")
    await replica.keep(new)
    await replica.keep(old)
    assert replica.at("k") == new
    replica.close()
    with (tmp_path / "registers.jsonl").open("ab") as torn:
        torn.write(b'{"key":"k","version":[3')
    again = Replica(tmp_path)
    assert (again.at("k"), again.at("other")) == (new, Held("other"))
    again.close()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"KV_PEERS": "kv-2,kv-3"}, "distinct names from kv-1 to kv-9, kv-1 among them"),
        ({"KV_PEERS": "kv-1,kv-1"}, "distinct names"),
        ({"KV_PEERS": "kv-1,kv-2"}, "KV_2_URL missing"),
        ({"KV_PEERS": "kv-1", "KV_READ_QUORUM": "2"}, "must be 1 or less"),
        ({"KV_PEERS": "kv-1", "KV_READ_QUORUM": "1", "KV_WRITE_QUORUM": "1"}, "DATA_DIR is missing"),
    ],
)
def test_what_cannot_be_told(said: dict[str, str], words: str) -> None:
    """A node that could not work does not start."""
    with pytest.raises(SettingsError, match=words):
        read(KvSettings, {"SERVICE_NAME": "kv-1", **said})
