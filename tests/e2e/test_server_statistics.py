"""The backing servers' own statistics: what clients did between two edges, and nothing of the lab's own asking."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiomysql
import asyncpg
import nats
import pytest
from fault_season import stack_up
from redis.asyncio import Redis

from lab.model import Backing
from lab.observe.statistics import Statistics
from lab.runtime.local import LocalRunning

pytestmark = [pytest.mark.e2e, pytest.mark.untraced]

Rows = list[dict[str, Any]]


@asynccontextmanager
async def asked(folder: Path, server: Backing) -> AsyncIterator[tuple[LocalRunning, Statistics, str]]:
    """A stack of one server, what is asked of it, and its URL."""
    async with stack_up(folder, [server], []) as running, Statistics.of(running) as statistics:
        yield running, statistics, running.url(server)


async def rows_of(statistics: Statistics) -> Rows:
    """A snapshot in which no server is lacking."""
    rows, notes = await statistics.snapshot(at_s=1.5)
    assert notes == []
    assert {row["at_s"] for row in rows} == {1.5}
    return rows


def total(rows: Rows, metric: str, **labels: str) -> float:
    """The sum of a metric over its series with these labels."""
    return sum(r["value"] for r in rows if r["metric"] == metric and labels.items() <= json.loads(r["labels"]).items())


async def test_postgres_counts_each_execution(tmp_path: Path) -> None:
    """Seven executions of a prepared statement are seven calls under its text; a password is no part of any label."""
    async with asked(tmp_path, Backing("postgres")) as (_, statistics, url):
        client = await asyncpg.connect(url)
        await client.execute("CREATE TABLE rates (pair text, rate int)")
        await client.execute("INSERT INTO rates VALUES ('EURUSD', 1), ('USDJPY', 2)")
        before = await rows_of(statistics)
        assert await rows_of(statistics) == before, "asking counts itself"
        for _ in range(7):
            await client.fetchval("SELECT rate FROM rates WHERE pair = $1", "EURUSD")
        await client.execute("ALTER ROLE lab PASSWORD 'of great worth'")
        after = await rows_of(statistics)
        await client.close()
    text = "SELECT rate FROM rates WHERE pair = $1"
    for labels in ({"command": "SELECT"}, {"query": text}):
        grown = total(after, "pg_stat_statements_calls", **labels) - total(before, "pg_stat_statements_calls", **labels)
        assert grown == 7, labels
    assert total(after, "pg_stat_statements_rows", query=text) == 7
    assert total(after, "pg_stat_statements_calls", command="ALTER", query="") == 1
    assert "of great worth" not in str(after)
    assert {row["service"] for row in after} == {"postgres"}
    assert "pg_stat_statements FROM" not in str(after), "the lab's own query is not counted"
    started = [total(rows, "process_start_time_seconds") for rows in (before, after)]
    assert started[0] == started[1] > 1e9


async def test_a_postgres_without_the_extension_counts_transactions(tmp_path: Path) -> None:
    """Where nothing is preloaded there are the committed transactions, and the lab's own are none of them."""
    async with asked(tmp_path, Backing("postgres", settings={"shared_preload_libraries": ""})) as (_, statistics, url):
        for _ in range(3):
            before = await rows_of(statistics)
        assert {row["metric"] for row in before} >= {"pg_stat_database_xact_commit", "pg_stat_database_xact_rollback"}
        client = await asyncpg.connect(url)
        for _ in range(7):
            await client.fetchval("SELECT 1")
        await client.close()  # a session that ends tells what it has counted
        while total(after := await rows_of(statistics), "pg_stat_database_xact_commit") < 7:
            pass
    grown = total(after, "pg_stat_database_xact_commit") - total(before, "pg_stat_database_xact_commit")
    assert 7 <= grown <= 8, "one more for the session's own start"


async def test_redis_counts_commands_and_expiries(tmp_path: Path) -> None:
    """Three sets, five gets of which two miss, one key that expires."""
    async with asked(tmp_path, Backing("redis")) as (_, statistics, url):
        before = await rows_of(statistics)
        assert await rows_of(statistics) == before, "asking counts itself"
        async with Redis.from_url(url) as client:
            for n in range(3):
                await client.set(f"key {n}", "value")
            for n in range(5):
                await client.get(f"key {n}")
            await client.set("brief", "value", px=1)
            while await client.get("brief") is not None:
                pass
            looks = await client.info("commandstats")
        after = await rows_of(statistics)
    assert total(after, "redis_commandstats_calls", command="set") == 4
    assert total(after, "redis_commandstats_calls", command="get") == looks["cmdstat_get"]["calls"] >= 6
    assert total(after, "redis_keyspace_misses") - total(before, "redis_keyspace_misses") == 3
    assert total(after, "redis_expired_keys") - total(before, "redis_expired_keys") == 1
    assert (total(after, "redis_keys"), total(after, "redis_aof_bytes")) == (3, 0)
    assert total(after, "redis_commandstats_calls", command="info") == 0


async def test_mariadb_counts_commands(tmp_path: Path) -> None:
    """Five updates in transactions, and a wait for a row; what the lab selects to know it is taken off."""
    async with asked(tmp_path, Backing("mariadb")) as (running, statistics, url):
        address = running.address(Backing("mariadb"))
        login = {"user": "lab", "password": urlsplit(url).password, "db": "lab"}
        client = await aiomysql.connect(host=address.host, port=address.port, **login, autocommit=True)
        async with client.cursor() as cursor:
            await cursor.execute("CREATE TABLE account (cents int) ENGINE=InnoDB")
            await cursor.execute("INSERT INTO account VALUES (1)")
            before = await rows_of(statistics)
            assert await rows_of(statistics) == before, "asking counts itself"
            for _ in range(5):
                await cursor.execute("BEGIN")
                await cursor.execute("UPDATE account SET cents = cents + 1")
                await cursor.execute("COMMIT")
        after = await rows_of(statistics)
        client.close()
    for command in ("update", "commit", "begin"):
        grown = total(after, "mariadb_commands", command=command) - total(before, "mariadb_commands", command=command)
        assert grown == 5, command
    assert total(after, "mariadb_commands", command="select") == total(before, "mariadb_commands", command="select")
    assert total(after, "mariadb_row_lock_waits") == 0


async def test_nats_counts_messages_streams_and_consumers(tmp_path: Path) -> None:
    """Five messages in a stream, three of them delivered and acknowledged, four beside it."""
    async with asked(tmp_path, Backing("nats")) as (_, statistics, url):
        client = await nats.connect(url)
        stream = client.jetstream()
        await stream.add_stream(name="TRADES", subjects=["trades.>"])
        subscription = await stream.pull_subscribe("trades.all", "books")
        await client.flush()
        before = await rows_of(statistics)
        again = await rows_of(statistics)
        assert again == before, "asking counts itself"
        for _ in range(5):
            await stream.publish("trades.all", b"a trade")
        for _ in range(4):
            await client.publish("aside", b"a word")
        for message in await subscription.fetch(3):
            await message.ack_sync()
        await client.flush()
        after = await rows_of(statistics)
        await client.close()
    books = {"stream": "TRADES", "consumer": "books"}
    assert total(after, "nats_stream_messages", stream="TRADES") == 5
    assert total(after, "nats_consumer_delivered", **books) == 3
    assert total(after, "nats_consumer_acknowledged", **books) == 3
    assert total(after, "nats_consumer_pending", **books) == 2
    grown = total(after, "nats_received_messages") - total(before, "nats_received_messages")
    assert grown == 5 + 4 + 1 + 3, "published, beside it, the pull, the acknowledgements"


async def test_a_server_that_comes_back_is_asked_again(tmp_path: Path) -> None:
    """Killed, it is noted, or left out where it is known to be down; started again, it counts from nothing."""
    server = Backing("redis")
    async with asked(tmp_path, server) as (running, statistics, url):
        async with Redis.from_url(url) as client:
            await client.set("key", "value")
        assert total(await rows_of(statistics), "redis_commandstats_calls", command="set") == 1
        await running.process(server).kill()
        rows, notes = await statistics.snapshot(2.0)
        assert rows == []
        assert [note.partition(" (")[0] for note in notes] == ["redis gave no statistics"]
        assert await statistics.snapshot(2.0, leave_out=["redis"]) == ([], [])
        for _ in range(2):  # the second time nothing has been asked while it was away
            await running.process(server).restart()
            assert total(await rows_of(statistics), "redis_commandstats_calls", command="set") == 0


async def test_a_server_that_is_silent_is_noted(tmp_path: Path) -> None:
    """A paused server holds an edge up for a second at most; one whose kind has no statistics is not asked."""
    server = Backing("postgres")
    async with asked(tmp_path, server) as (running, statistics, _):
        await running.process(server).pause()
        rows, notes = await statistics.snapshot(2.0)
        await running.process(server).resume()
        assert (rows, notes) == ([], ["postgres did not give its statistics within 1 s"])
        assert await rows_of(statistics)
    async with asked(tmp_path, Backing("etcd")) as (_, statistics, _):
        assert await statistics.snapshot(2.0) == ([], [])
