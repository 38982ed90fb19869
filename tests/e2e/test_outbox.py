"""The outbox on a real PostgreSQL, whose data are on a disk that can be full."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiohttp import ClientSession
from run_ids import fresh

from lab import faults
from lab.model import Backing
from lab.runtime.base import Stack
from lab.runtime.disk import why_no_disk
from lab.runtime.local import LocalRunning, LocalRuntime
from lab.runtime.supervisor import Supervisor
from lab.runtime.tools import Tools
from targets import outbox
from targets.kit import running
from targets.kit.room import WatermarkSettings

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(why_no_disk() is not None, reason=str(why_no_disk()))]
POSTGRES = Backing("postgres")
QUICK = WatermarkSettings(watermark=True, watermark_every_s=0.02)


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[LocalRunning]:
    """The server on its disk."""
    run = fresh("outbox")
    async with Supervisor.open(tmp_path / run, run) as supervisor:
        up = await LocalRuntime(supervisor, Tools()).start(Stack([POSTGRES], [], disks=[POSTGRES]), tmp_path / "logs")
        yield up
        await up.stop()


def settings(stack: LocalRunning, **more: Any) -> outbox.OutboxSettings:
    """Of a target beside that server."""
    said: dict[str, Any] = {"service_name": "outbox", "log_level": "error", "postgres_url": stack.url(POSTGRES)}
    return outbox.OutboxSettings(**said, postgres_data_dir=str(stack._folders[POSTGRES]), **more)


async def status(http: ClientSession, url: str, name: str) -> int:
    """Of an item."""
    async with http.post(f"{url}/items", json={"id": name}) as response:
        return response.status


async def until(http: ClientSession, url: str, wanted: int) -> None:
    """Send an item until it is answered with this status: the target looks at the room every so often."""
    while await status(http, url, "trial") != wanted:  # noqa: ASYNC110 - a target sets no Event
        await asyncio.sleep(0.01)


async def got(http: ClientSession, url: str) -> dict[str, Any]:
    """A JSON answer."""
    async with http.get(url) as response:
        assert response.status == 200
        found: dict[str, Any] = await response.json()
        return found


async def test_an_item_takes_room_in_the_log_and_hardly_any_in_the_table(stack: LocalRunning) -> None:
    """One that is sent twice is kept once, and has one event."""
    connection = await asyncpg.connect(stack.url(POSTGRES))

    async def log_bytes() -> int:
        return int(await connection.fetchval("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"))

    async with running(settings(stack, event_bytes=100_000), outbox.build) as target, ClientSession() as http:
        before = await log_bytes()
        assert [await status(http, target.url, name) for name in ("a", "b", "a")] == [201] * 3
        assert 200_000 < await log_bytes() - before < 250_000
        assert await got(http, f"{target.url}/items/count") == {"count": 2}
        assert sorted((await got(http, f"{target.url}/items"))["effects"]) == ["a", "b"]
    await connection.close()


async def test_items_are_refused_while_there_is_little_room_and_reads_are_not(stack: LocalRunning) -> None:
    """What was refused is not kept; with room again they are accepted."""
    async with running(settings(stack, room=QUICK), outbox.build) as target, ClientSession() as http:
        assert await status(http, target.url, "before") == 201
        async with faults.disk_full(POSTGRES, leaves_mb=20, restarts=True).inject(stack) as facts:
            await until(http, target.url, 503)
            assert await status(http, target.url, "refused") == 503
            assert (await got(http, f"{target.url}/items/count"))["count"] >= 1
        assert facts["exited"] is False
        await until(http, target.url, 201)
        kept = (await got(http, f"{target.url}/items"))["effects"]
        assert {"before", "trial"} <= set(kept)
        assert "refused" not in kept


async def test_without_a_watermark_the_server_exits_and_is_started_again(stack: LocalRunning) -> None:
    """The fault's doing, and no death; what was acknowledged is there, and the same connections' pool serves again."""
    acknowledged: list[str] = []
    big = settings(stack, event_bytes=1_000_000)
    async with running(big, outbox.build) as target, ClientSession() as http:
        async with faults.disk_full(POSTGRES, leaves_mb=1, restarts=True).inject(stack) as facts:
            for n in range(100):
                if await status(http, target.url, f"item-{n}") != 201:
                    break
                acknowledged.append(f"item-{n}")
            while await stack.process(POSTGRES).state() != "gone":  # noqa: ASYNC110 - a process sets no Event
                await asyncio.sleep(0.05)
        assert facts["exited"] is True
        assert float(facts["write ENOSPC given"]) >= 1
        assert stack.deaths() == []
        assert await status(http, target.url, "after") == 201
        assert {*acknowledged, "after"} <= set((await got(http, f"{target.url}/items"))["effects"])
