"""Orders on a real primary and a standby: reads where READ says, and the way to another primary."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from fault_season import stack_up

from lab import actions, faults
from lab.model import Backing, Link
from targets import orders
from targets.kit import Running, running

pytestmark = pytest.mark.e2e

PRIMARY, STANDBY = Backing("postgres", "primary"), Backing("postgres", "standby-a")
REPLICATE = Link(STANDBY, PRIMARY)
READS = 12  # of which the dice send one to the standby but once in 4,096


class Client:
    """One session at one target."""

    def __init__(self, http: ClientSession, target: Running, session: str) -> None:
        self.http, self.url, self.headers = http, f"{target.url}/orders", {"Session": session}

    async def put(self, name: str, version: int) -> tuple[int, Any]:
        """Status and answer of a write."""
        async with self.http.put(f"{self.url}/{name}", json={"version": version}, headers=self.headers) as response:
            return response.status, await response.json(content_type=None)

    async def get(self, name: str) -> tuple[Any, str]:
        """The version that was read, and where."""
        async with self.http.get(f"{self.url}/{name}", headers=self.headers) as response:
            found = await response.json(content_type=None)
            assert response.status == 200, found
            return found["version"], found["by"]


async def test_sessions_read_where_they_are_told_and_writes_find_the_new_primary(tmp_path: Path) -> None:
    """With a standby half a second behind; then the primary is killed and the standby promoted."""
    async with stack_up(tmp_path, [PRIMARY, STANDBY], [REPLICATE]) as up:

        @asynccontextmanager
        async def client(session: str, **said: Any) -> AsyncIterator[Client]:
            urls = {"primary_url": up.url(PRIMARY), "standby_a_url": up.url(STANDBY)}
            settings = orders.OrdersSettings(service_name="orders", log_level="error", **urls, **said)
            async with running(settings, orders.build) as target, ClientSession() as http:
                yield Client(http, target, session)

        async with client("ann", read="any") as ann:
            assert (await ann.put("ann", 1))[0] == 201
        async with asyncio.timeout(10), client("bob", read="any") as bob:
            while await bob.get("ann") != (1, "standby-a"):
                pass
        async with faults.latency(REPLICATE, ms=500).inject(up):
            async with client("ann", read="any") as ann:
                assert (await ann.put("ann", 2))[0] == 201
                assert (1, "standby-a") in [await ann.get("ann") for _ in range(READS)], "its own write is missing"
            async with client("ann", read="lsn") as ann:
                assert (await ann.put("ann", 3))[0] == 201
                found = [await ann.get("ann") for _ in range(READS)]
                assert {version for version, _ in found} == {3}
                assert "standby-a" in {by for _, by in found}, "a standby that has caught up is read"
            async with client("ann", read="lsn", lsn_wait_s=0.05) as ann:
                assert (await ann.put("ann", 4))[0] == 201
                found = [await ann.get("ann") for _ in range(3)]
                assert set(found) == {(4, "primary")}, "where it takes too long, the primary is read"
            async with client("ann", read="own") as ann:
                assert (await ann.put("ann", 5))[0] == 201
                assert {await ann.get("ann") for _ in range(READS)} == {(5, "primary")}
        async with client("ann") as ann:
            await actions.promote([STANDBY], instead_of=PRIMARY).perform(up)
            async with asyncio.timeout(20):
                while (answer := await ann.put("new", 6))[0] != 201:
                    assert answer[0] in (502, 503, 504)
            assert answer[1]["by"] == "standby-a"
            async with ann.http.get(f"{ann.url}/keys") as response:
                assert sorted((await response.json())["effects"]) == ["ann", "new"]
