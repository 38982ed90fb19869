"""Real servers on the disk, cut by the fault itself: which settings lose what was acknowledged, and which do not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import asyncpg
import pytest
from redis.asyncio import Redis
from run_ids import fresh

from lab import faults
from lab.kit.places import ROOT
from lab.model import Backing
from lab.runtime import leash, outside
from lab.runtime.base import Stack
from lab.runtime.disk import why_no_disk
from lab.runtime.heal import heal
from lab.runtime.local import LocalRunning, LocalRuntime
from lab.runtime.supervisor import Supervisor
from lab.runtime.tools import Tools

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(why_no_disk() is not None, reason=str(why_no_disk()))]
DURABLE = Backing("redis", "durable", {"appendonly": "yes", "appendfsync": "always"})
LAZY = Backing("redis", "lazy", {"appendonly": "yes", "appendfsync": "no"})
ROWS = Backing("postgres")
ETCD = Backing("etcd")


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[LocalRunning]:
    """All four, each on a disk of its own."""
    servers = [DURABLE, LAZY, ROWS, ETCD]
    run = fresh("on-disks")
    async with Supervisor.open(tmp_path / run, run) as supervisor:
        runtime = LocalRuntime(supervisor, Tools())
        stack = Stack(servers, [], {server: server.settings for server in servers}, disks=servers)
        running = await runtime.start(stack, tmp_path / "logs")
        yield running
        await running.stop()
    assert leash.mounts_below([tmp_path, *outside.of_run(run)]) == []


async def _cut(running: LocalRunning, server: Backing) -> dict[str, object]:
    async with faults.power_loss(server).inject(running) as facts:
        pass
    return dict(facts)


async def test_what_a_power_loss_takes(running: LocalRunning) -> None:
    """Redis keeps what it synced before it answered and loses what it did not; PostgreSQL and etcd lose nothing."""
    receipts = {}
    for server in (DURABLE, LAZY):
        async with Redis.from_url(running.url(server)) as redis:
            for n in range(30):
                await redis.set(f"k{n}", n)
        receipts[server.name] = await _cut(running, server)
        async with Redis.from_url(running.url(server)) as redis:
            assert await redis.dbsize() == (30 if server is DURABLE else 0)
    assert int(receipts["durable"]["fsyncs"]) >= 30
    assert int(receipts["lazy"]["undone_bytes"]) > 500

    connection = await asyncpg.connect(running.url(ROWS))
    await connection.execute("CREATE TABLE t (n int)")
    for n in range(30):
        await connection.execute("INSERT INTO t VALUES ($1)", n)
    await connection.execute("SET synchronous_commit = off")
    connection.terminate()
    await _cut(running, ROWS)
    connection = await asyncpg.connect(running.url(ROWS))
    assert await connection.fetchval("SELECT count(*) FROM t") == 30
    await connection.close()

    async with aiohttp.ClientSession(running.url(ETCD), raise_for_status=True) as etcd:
        await etcd.post("/v3/kv/put", json={"key": "Zm9v", "value": "YmFy"})
        await _cut(running, ETCD)
        answer = await etcd.post("/v3/kv/range", json={"key": "Zm9v"})
        assert "YmFy" in await answer.text()


async def test_a_disk_that_ends_by_itself_is_told(running: LocalRunning) -> None:
    """What its server does then is no verdict on the server; when all is stopped, nothing is left."""
    assert running.deaths() == []
    process = running._disks[LAZY].process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    assert any(death.startswith("lazy-disk ended by itself") for death in running.deaths())


CRASHED = """
import asyncio, sys, time
from pathlib import Path
from lab.model import Backing
from lab.runtime.base import Stack
from lab.runtime.local import LocalRuntime
from lab.runtime.supervisor import Supervisor
from lab.runtime.tools import Tools

async def main():
    redis, (folder, run) = Backing("redis"), sys.argv[1:]
    async with Supervisor.open(Path(folder) / run, run) as supervisor:
        await LocalRuntime(supervisor, Tools()).start(Stack([redis], [], disks=[redis]), Path(folder) / "logs")
        print("up", flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""


def test_a_killed_lab_leaves_no_mount(tmp_path: Path) -> None:
    """The leash takes it away; what a leash that was killed too leaves, heal does."""
    run = fresh("crashed")
    lab = subprocess.Popen([sys.executable, "-c", CRASHED, str(tmp_path), run], cwd=ROOT, stdout=subprocess.PIPE)
    assert lab.stdout is not None
    assert lab.stdout.readline() == b"up\n"
    places = [tmp_path, *outside.of_run(run)]
    assert len(leash.mounts_below(places)) == 1
    os.kill(lab.pid, signal.SIGKILL)
    lab.wait()
    deadline = time.monotonic() + 10
    while leash.mounts_below(places) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert leash.mounts_below(places) == []
    heal(tmp_path)
    assert not [place for place in places[1:] if place.exists()]
