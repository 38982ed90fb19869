"""Offers on a real Redis and a real PostgreSQL, each way of writing, and what Redis has after a kill."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from fault_season import stack_up

from lab.model import Backing
from lab.runtime.local import LocalRunning
from targets import offers
from targets.kit import Running, running
from targets.kit.redis import open_redis

pytestmark = pytest.mark.e2e

REDIS, POSTGRES = Backing("redis"), Backing("postgres")
IDS = [f"offer-{n}" for n in range(5)]


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[LocalRunning]:
    """Both servers."""
    async with stack_up(tmp_path, [REDIS, POSTGRES], []) as up:
        yield up


def told(stack: LocalRunning, **said: Any) -> offers.OffersSettings:
    """Settings that name both servers."""
    urls = {"redis_url": stack.url(REDIS), "postgres_url": stack.url(POSTGRES)}
    return offers.OffersSettings(service_name="offers", log_level="error", **urls, **said)


async def put(http: ClientSession, target: Running, name: str) -> int:
    """Status of a write."""
    async with http.put(f"{target.url}/offers/{name}", json={"cents": 100}) as response:
        return response.status


async def listed(http: ClientSession, target: Running, where: str) -> list[str]:
    """The ids that a store has."""
    async with http.get(f"{target.url}/offers/in-{where}") as response:
        return sorted((await response.json())["effects"])


async def test_each_way_writes_when_it_says(stack: LocalRunning) -> None:
    """Through at once, behind and stream with the next flush, which a polite stop brings; an offer can be read."""
    # Another instance looks into the database: asked itself, one that has something to write would write it first.
    async with running(told(stack, write="through"), offers.build) as other, ClientSession() as http:
        for way, at_once in (("through", True), ("behind", False), ("stream", False)):
            names = [f"{way}-{name}" for name in IDS]
            async with running(told(stack, write=way, flush_s=600), offers.build) as target:
                assert [await put(http, target, name) for name in names] == [201] * 5, way
                assert set(names) <= set(await listed(http, target, "redis"))
                assert (set(names) <= set(await listed(http, other, "database"))) == at_once, way
                async with http.get(f"{target.url}/offers/{names[0]}") as response:
                    assert (response.status, await response.json()) == (200, {"id": names[0], "cents": 100})
            assert set(names) <= set(await listed(http, other, "database")), way


async def test_what_a_crash_left_in_the_stream_is_written_first(stack: LocalRunning) -> None:
    """Entries that a reader took and did not acknowledge are pending: the next process writes them."""
    async with open_redis(stack.url(REDIS), 5.0) as store, ClientSession() as http:
        await store.xgroup_create(offers.STREAM, offers.GROUP, id="0", mkstream=True)
        for name in IDS:
            await store.xadd(offers.STREAM, {"id": name, "cents": 100})
        await store.xreadgroup(offers.GROUP, offers.READER, {offers.STREAM: ">"})
        async with running(told(stack, write="stream", flush_s=0.01), offers.build) as target:
            async with asyncio.timeout(10):
                while await listed(http, target, "database") != IDS or await store.xlen(offers.STREAM):
                    pass


async def test_without_its_stores_an_offer_is_indeterminate(stack: LocalRunning) -> None:
    """Redis killed: 502, and neither a success nor a rejection; what it kept in its file is there again after."""
    async with ClientSession() as http, running(told(stack, write="redis"), offers.build) as target:
        assert await put(http, target, "first") == 201
        await stack.process(REDIS).kill()
        assert await put(http, target, "second") == 502
        async with http.get(f"{target.url}/offers/first") as response:
            assert response.status == 502
        await stack.process(REDIS).restart()
        assert await listed(http, target, "redis") == []  # as the lab starts it, it keeps nothing
        async with http.get(f"{target.url}/offers/first") as response:
            assert response.status == 404


@pytest.mark.parametrize(
    ("settings", "kept"),
    [({"SAVE": "3600 1 300 100 60 10000"}, ["polite"]), ({"APPENDONLY": True}, ["killed", "polite"])],
)
async def test_a_killed_redis_has_what_its_settings_keep(tmp_path: Path, settings: Any, kept: list[str]) -> None:
    """Snapshots: what SIGTERM saved, and nothing since. An append-only file: all."""
    server = Backing("redis", settings=settings)
    async with stack_up(tmp_path, [server], []) as up:
        for name in ("polite", "killed"):
            async with open_redis(up.url(server), 5.0) as store:
                await store.set(name, 1)
            if name == "killed":
                await up.process(server).kill()
            await up.process(server).restart()
        async with open_redis(up.url(server), 5.0) as store:
            assert sorted([key.decode() async for key in store.scan_iter()]) == kept


def test_a_way_that_needs_the_database_says_so() -> None:
    """WRITE=behind without POSTGRES_URL."""
    with pytest.raises(ValueError, match="POSTGRES_URL is missing: WRITE=behind"):
        offers.OffersSettings(service_name="offers", redis_url="redis://127.0.0.1:1/0", write="behind")
