"""Rates on a real Redis and a real PostgreSQL, two instances of it, each behind links of its own."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from fault_season import stack_up

from lab import faults
from lab.model import Backing, Link, Service
from lab.runtime.local import LocalRunning
from targets import rates
from targets.kit import Running, running
from targets.kit.postgres import NoDatabase
from targets.kit.redis import Lock, open_redis

pytestmark = [pytest.mark.e2e, pytest.mark.untraced]

REDIS, POSTGRES = Backing("redis"), Backing("postgres")
BOTH = [Service("rates-1"), Service("rates-2")]
LINKS = {service: (Link(service, REDIS), Link(service, POSTGRES)) for service in BOTH}


@dataclass
class Bench:
    """The servers, instances of rates in this process, and a client."""

    stack: LocalRunning
    http: ClientSession

    def urls(self, service: Service) -> dict[str, str]:
        """Where an instance finds its servers: at its own links."""
        to_redis, to_postgres = LINKS[service]
        return {
            "redis_url": self.stack.url(to_redis),
            "postgres_url": self.stack.url(to_postgres),
        }

    @asynccontextmanager
    async def instances(self, **said: Any) -> AsyncIterator[list[Running]]:
        """Two of them, told the same."""
        async with AsyncExitStack() as stack:
            started = []
            for service in BOTH:
                settings = rates.RatesSettings(
                    service_name=service.name, log_level="error", **self.urls(service), **said
                )
                started.append(await stack.enter_async_context(running(settings, rates.build)))
            yield started

    @asynccontextmanager
    async def slow_database(self, ms: int) -> AsyncIterator[None]:
        """Every answer of the database is late, for both."""
        async with AsyncExitStack() as stack:
            for _, to_postgres in LINKS.values():
                await stack.enter_async_context(faults.latency(to_postgres, ms=ms).inject(self.stack))
            yield

    async def get(self, instance: Running, pair: str) -> tuple[int, Mapping[str, Any]]:
        """Status and body of a read."""
        async with self.http.get(f"{instance.url}/rates/{pair}") as response:
            return response.status, await response.json(content_type=None)

    async def put(self, instance: Running, pair: str, rate: object) -> int:
        """Status of a write."""
        async with self.http.put(f"{instance.url}/rates/{pair}", json={"rate": rate}) as response:
            return response.status


def counted(instances: list[Running], name: str, **labels: str) -> float:
    """The sum of a counter over instances."""
    return sum(i.service.metrics.registry.get_sample_value(name, labels) or 0 for i in instances)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """Both servers, and four links."""
    links = [link for pair in LINKS.values() for link in pair]
    async with stack_up(tmp_path, [REDIS, POSTGRES], links) as stack, ClientSession() as http:
        yield Bench(stack, http)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Any]:
    """A client of a Redis with no proxy between."""
    async with stack_up(tmp_path, [REDIS], []) as stack, open_redis(stack.url(REDIS), 5.0) as client:
        yield client


async def test_each_pattern_asks_the_database_as_often_as_it_says(bench: Bench) -> None:
    """Of 40 readers who find nothing: nearly all of them, one of each process, one of all; and all get the rate."""
    queries: dict[str, float] = {}
    for number, how in enumerate(("each", "process", "shared", "early")):
        pair, rate = f"PAIR{number}", f"1.0000{number}"
        async with bench.instances(fetch=how) as instances:
            assert await bench.put(instances[0], pair, rate) == 200
            async with bench.slow_database(ms=300):
                told = await asyncio.gather(*(bench.get(instances[n % 2], pair) for n in range(40)))
            assert Counter((status, body["rate"]) for status, body in told) == {(200, rate): 40}
            queries[how] = counted(instances, "rates_queries_total")
            assert counted(instances, "rates_renewals_total") == 1, how
    assert queries["each"] >= 10
    assert queries["process"] == queries["early"] == 2
    assert queries["shared"] == 1


async def test_early_renewal_shows_a_new_rate_though_nothing_has_expired(bench: Bench) -> None:
    """With a beta that makes many readers early, a write is seen before the TTL is over, and nobody waits for it."""
    async with bench.instances(fetch="early", early_beta=100, ttl_s=20) as instances, bench.slow_database(ms=50):
        one = instances[0]
        await bench.get(one, "EURUSD")
        assert await bench.put(one, "EURUSD", "1.23456") == 200
        until_s = time.monotonic() + 30
        while (await bench.get(one, "EURUSD"))[1]["rate"] != "1.23456":
            assert time.monotonic() < until_s
            await asyncio.sleep(0.02)
        assert counted(instances, "rates_looks_total", found="no") == 1
        assert counted(instances, "rates_renewals_total") >= 2


async def test_without_it_the_old_rate_stays_until_it_expires(bench: Bench) -> None:
    """A write goes past the cache; the other instance sees the same old rate, and how old it is."""
    async with bench.instances(ttl_s=600) as instances:
        await bench.get(instances[0], "EURUSD")
        assert await bench.put(instances[0], "EURUSD", "1.23456") == 200
        status, body = await bench.get(instances[1], "EURUSD")
        assert (status, body["rate"]) == (200, "1.08000")
        assert 0 <= body["age_ms"] < 600_000
        assert counted(instances, "rates_queries_total") == 1


async def test_what_goes_wrong_is_told_apart(bench: Bench) -> None:
    """No such pair, no rate, a database that is gone or silent, no Redis: each has its own answer."""
    to_redis, to_postgres = LINKS[BOTH[0]]
    async with bench.instances(postgres_timeout_s=0.5) as instances:
        one = instances[0]
        assert (await bench.get(one, "EURXXX"))[0] == 404
        assert await bench.put(one, "EURUSD", "dear") == 422
        async with faults.silence(to_postgres).inject(bench.stack):
            assert (await bench.get(one, "EURUSD"))[0] == 504
        async with faults.down(to_postgres).inject(bench.stack):
            status, body = await bench.get(one, "EURUSD")
            assert (status, body["type"].rpartition(":")[2]) == (502, "database-out-of-reach")
        async with faults.down(to_redis).inject(bench.stack):
            assert (await bench.get(one, "EURUSD"))[0] == 503
        assert (await bench.get(one, "EURUSD"))[0] == 200


async def test_without_a_database_it_does_not_start() -> None:
    """The reason names the server, and not the port that rates would listen on."""
    settings = rates.RatesSettings(
        service_name="rates",
        redis_url="redis://127.0.0.1:1/0",
        postgres_url="postgresql://lab:secret@127.0.0.1:1/postgres",
    )
    with pytest.raises(NoDatabase, match=r"PostgreSQL at postgresql://127.0.0.1:1/postgres"):
        async with running(settings, rates.build):
            pass


async def test_a_lock_is_one_holders_until_given_back_or_over(store: Any) -> None:
    """Nobody else gets it, nobody else can free it, and a holder that is late frees nobody else's."""
    mine, other = Lock(store, "turn", 60), Lock(store, "turn", 60)
    assert await mine.take()
    assert not await other.take()
    await other.give_back()
    assert not await other.take()
    await mine.give_back()
    assert await other.take()
    short = Lock(store, "short", 0.05)
    assert await short.take()
    async with asyncio.timeout(30):
        while not await Lock(store, "short", 60).take():  # noqa: ASYNC110 - it comes free by itself
            await asyncio.sleep(0.01)
    await short.give_back()  # too late: it is another's by now
    assert await store.exists("short")


async def test_a_renewal_is_what_nobody_stored_in_between(store: Any) -> None:
    """The first of a herd counts, the others do not; the next herd's first one does again."""
    cache = rates.Cache(store, ttl_s=60)
    began_s = time.time()
    herd = [rates.Kept("1.1", began_s + n / 1_000_000, 0.1) for n in range(3)]
    assert [await cache.keep("EURUSD", kept) for kept in herd] == [True, False, False]
    assert await cache.keep("EURUSD", rates.Kept("1.2", time.time(), 0.1))
    kept = await cache.look("EURUSD")
    assert kept is not None
    assert kept.rate == "1.2"


async def test_what_is_too_old_is_neither_kept_nor_told(store: Any) -> None:
    """Its age counts from the question: an answer that took as long as a rate lives is of no use to others."""
    cache = rates.Cache(store, ttl_s=60)
    assert not await cache.keep("EURUSD", rates.Kept("1.1", time.time() - 61, 61))
    assert await cache.look("EURUSD") is None
    await cache.keep("EURUSD", rates.Kept("1.1", time.time() - 30, 0.1))
    assert await cache.look("EURUSD") is not None
    assert await rates.Cache(store, ttl_s=20).look("EURUSD") is None


def test_waiting_longer_than_a_rate_lives_is_refused() -> None:
    """Such settings could only end in answers that are too old."""
    with pytest.raises(ValueError, match="POSTGRES_TIMEOUT_S=2 cannot be with TTL_S=2"):
        rates.RatesSettings(
            service_name="rates", redis_url="redis://h", postgres_url="postgresql://h", postgres_timeout_s=2
        )
