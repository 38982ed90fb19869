"""A PostgreSQL primary with standbys: streaming over links of their own, and promoted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from fault_season import stack_up

from lab import actions, faults
from lab.errors import LabError
from lab.model import Backing, Link
from lab.runtime.local import LocalRunning

pytestmark = pytest.mark.e2e

PRIMARY = Backing("postgres", "primary", settings={"SYNCHRONOUS_STANDBY_NAMES": 'ANY 1 ("standby-a", "standby-b")'})
A, B = Backing("postgres", "standby-a"), Backing("postgres", "standby-b")
TO_A, TO_B = Link(A, PRIMARY), Link(B, PRIMARY)
STANDBYS = "SELECT application_name, sync_state FROM pg_stat_replication WHERE state = 'streaming' ORDER BY 1"


@asynccontextmanager
async def session(up: LocalRunning, server: Backing) -> AsyncIterator[Any]:
    """As a service logs in."""
    connection = await asyncpg.connect(up.url(server))
    try:
        yield connection
    finally:
        connection.terminate()


async def rows(up: LocalRunning, server: Backing) -> int:
    """How many rows a server has."""
    async with session(up, server) as connection:
        found: int = await connection.fetchval("SELECT count(*) FROM kept")
        return found


async def until(up: LocalRunning, server: Backing, count: int) -> None:
    """Wait until a server has so many rows."""
    async with asyncio.timeout(10):
        while await rows(up, server) != count:
            pass


async def test_two_standbys_follow_one_is_cut_off_and_the_other_is_promoted(tmp_path: Path) -> None:
    """Both stream; a silent one gets nothing and stops no write; of both the one that has all is promoted."""
    async with stack_up(tmp_path, [PRIMARY, A, B], [TO_A, TO_B]) as up:
        async with session(up, PRIMARY) as primary, asyncio.timeout(20):
            await primary.execute("CREATE TABLE kept (id int PRIMARY KEY)")
            admin = await asyncpg.connect(up.statistics_url(PRIMARY))
            while len(found := await admin.fetch(STANDBYS)) < 2:
                pass
            assert [tuple(each) for each in found] == [("standby-a", "quorum"), ("standby-b", "quorum")]
            admin.terminate()
            await primary.execute("INSERT INTO kept VALUES (1)")
            await until(up, A, 1)
            with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
                async with session(up, A) as standby:
                    await standby.execute("INSERT INTO kept VALUES (0)")
            async with faults.silence(TO_A).inject(up):
                await primary.execute("INSERT INTO kept VALUES (2)")
                await until(up, B, 2)
                assert await rows(up, A) == 1
                done = await actions.promote([A, B], instead_of=PRIMARY).perform(up)
        assert {name: done[name] for name in ("fenced", "promoted", "in_recovery", "timeline")} == {
            "fenced": "primary gone", "promoted": "standby-b", "in_recovery": False, "timeline": 2,
        }  # fmt: skip
        assert done["standby-b_received_bytes"] > done["standby-a_received_bytes"]
        async with session(up, B) as new:
            await new.execute("INSERT INTO kept VALUES (3)")
        assert await rows(up, B) == 3
        with pytest.raises(LabError, match=r"standby-b in recovery that could be promoted"):
            await actions.promote([B], instead_of=PRIMARY).perform(up)


def test_only_standbys_of_postgres_are_promoted() -> None:
    """Another kind of server is named."""
    with pytest.raises(ValueError, match="promote: redis cannot be promoted"):
        actions.promote([Backing("redis")], instead_of=PRIMARY)
