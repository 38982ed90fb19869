"""
Rates: the price of a currency pair, kept in Redis for a while because the database is slow to ask.

    client -> rates -> (link) -> redis       each price, for TTL_S
              ^^^^^ -> (link) -> postgres    the truth
              here, in as many instances as you like: they share what is in Redis, and nothing else

GET /rates/{pair}   200 with the rate and its age; 404; 502 or 504 where the database has no answer, 503 where Redis has
PUT /rates/{pair}   200: the rate is in the database. What Redis has stays until it expires: that is what TTL_S means

What a read does that misses in Redis is the pattern under study, FETCH:

    each      asks the database
    process   asks it, unless a request of this process already does: then it waits for that answer
    shared    as process; and of all processes one asks, which a lock in Redis picks
    early     as process; and readers renew a rate in the background before it expires, by a throw of the dice

An age counts from when the database was asked, not from when it answered or Redis stored it. Instances compare clocks
with each other, so between machines an age is as true as these are.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Annotated, Literal

import msgspec
from aiohttp import web
from msgspec import Meta, Struct
from prometheus_client import CollectorRegistry, Counter, Histogram
from redis.asyncio import Redis

from targets.kit import (
    Between,
    Count,
    PostgresUrl,
    Problem,
    RedisUrl,
    Seconds,
    Service,
    Settings,
    answer,
    postgres,
    read_json,
    redis,
    serve,
)
from targets.kit.logs import Log
from targets.patterns import early_expiry
from targets.patterns.single_flight import SingleFlight, once_for_all

SCHEMA = """
CREATE TABLE IF NOT EXISTS rates (pair text PRIMARY KEY, rate numeric(12, 5) NOT NULL);
INSERT INTO rates VALUES ('EURUSD', 1.08000), ('USDJPY', 149.50000) ON CONFLICT DO NOTHING;
"""
READ = "SELECT rate::text FROM rates WHERE pair = $1"
WRITE = "INSERT INTO rates VALUES ($1, $2) ON CONFLICT (pair) DO UPDATE SET rate = excluded.rate RETURNING rate::text"
AGES_S = (0.1, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.5, 5, 10)


@dataclass(frozen=True, kw_only=True)
class RatesSettings(Settings):
    """What rates can be told. EARLY_BETA is XFetch's beta: more is earlier; LOCK_S outlasts a fetch."""

    redis_url: RedisUrl
    redis_timeout_s: Seconds = 1.0
    postgres_url: PostgresUrl
    postgres_timeout_s: Seconds = 1.0
    postgres_pool: Count = 25
    ttl_s: Seconds = 2.0
    fetch: Literal["each", "process", "shared", "early"] = "each"
    early_beta: Annotated[float, Between(0, 100)] = 1.0
    lock_s: Seconds = 2.0

    def __post_init__(self) -> None:
        if self.postgres_timeout_s >= self.ttl_s:
            asked = f"POSTGRES_TIMEOUT_S={self.postgres_timeout_s:g} cannot be with TTL_S={self.ttl_s:g}"
            raise ValueError(f"{asked}: a rate may be too old when it comes; wait for less than a rate lives")


class NewRate(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be the rate from now on, in decimals so that it stays what it is."""

    rate: Annotated[str, Meta(pattern=r"^\d{1,7}(\.\d{1,5})?$")]


class Kept(Struct, frozen=True):
    """A rate as it is kept: times on the wall clock; `took_s` from the question to the answer."""

    rate: str
    asked_s: float
    took_s: float
    stored_s: float = 0.0


@dataclass(frozen=True)
class Counts:
    """What rates counts, beside what every target does."""

    queries: Counter
    renewals: Counter
    looks: Counter
    ages: Histogram

    @classmethod
    def new(cls, registry: CollectorRegistry) -> Counts:
        """All of them, at 0."""
        looks = Counter(
            "rates_looks", "Readers, and whether Redis had the rate for them.", ("found",), registry=registry
        )
        for found in ("yes", "no"):
            looks.labels(found)
        return cls(
            Counter("rates_queries", "Questions to the database for a rate that have ended.", registry=registry),
            Counter(
                "rates_renewals",
                "Rates stored that nobody had stored since the question: one for each expiry, over all instances.",
                registry=registry,
            ),
            looks,
            Histogram("rates_age_seconds", "Age of the rates told.", buckets=AGES_S, registry=registry),
        )


@dataclass(frozen=True)
class Cache:
    """Rates in Redis. What is past its time is not there, whether Redis knows that already or not."""

    store: Redis
    ttl_s: float

    async def look(self, pair: str) -> Kept | None:
        """What is kept of a pair."""
        found = await self.store.get(name_of(pair))
        kept = None if found is None else msgspec.json.decode(found, type=Kept)
        return kept if kept is not None and time.time() < self.expires_s(kept) else None

    async def keep(self, pair: str, kept: Kept) -> bool:
        """Keep it until it is `ttl_s` old; whether nobody had stored another since the database was asked."""
        left_ms = round((self.expires_s(kept) - time.time()) * 1000)
        if left_ms < 1:
            return False
        stored = msgspec.structs.replace(kept, stored_s=time.time())
        before = await self.store.set(name_of(pair), msgspec.json.encode(stored), px=left_ms, get=True)
        return not isinstance(before, bytes) or msgspec.json.decode(before, type=Kept).stored_s < kept.asked_s

    def expires_s(self, kept: Kept) -> float:
        """When it is too old."""
        return kept.asked_s + self.ttl_s


def name_of(pair: str) -> str:
    """Its key in Redis."""
    return f"rate:{pair}"


@dataclass(frozen=True)
class Rates:
    """Answers the routes."""

    settings: RatesSettings
    database: postgres.Database
    cache: Cache
    counts: Counts
    log: Log
    flights: SingleFlight[Kept] = field(default_factory=SingleFlight)

    async def get_rate(self, request: web.Request) -> web.Response:
        """The rate, from Redis or from the database."""
        pair = request.match_info["pair"]
        try:
            kept = await self.cache.look(pair)
            self.counts.looks.labels("no" if kept is None else "yes").inc()
            if kept is None:
                kept = await self.fetch(pair)
            elif self.settings.fetch == "early":
                self.perhaps_renew(pair, kept)
        except redis.TROUBLE as trouble:
            raise Problem(503, "cache-out-of-reach", f"Redis: {trouble!r}") from trouble
        age_s = time.time() - kept.asked_s
        self.counts.ages.observe(age_s)
        return answer({"pair": pair, "rate": kept.rate, "age_ms": round(age_s * 1000)})

    async def put_rate(self, request: web.Request) -> web.Response:
        """Write a rate into the database."""
        pair = request.match_info["pair"]
        asked = await read_json(request, NewRate)
        rate = await self.ask_database(WRITE, pair, Decimal(asked.rate))
        return answer({"pair": pair, "rate": rate})

    async def fetch(self, pair: str) -> Kept:
        """What to do when Redis has nothing."""
        if self.settings.fetch == "each":
            return await self.query(pair)
        return await self.flights.do(pair, partial(self.fetch_once, pair))

    async def fetch_once(self, pair: str) -> Kept:
        """The one fetch of this process, or of all. It looks again: the last one may have landed in between."""
        look, work = partial(self.cache.look, pair), partial(self.query, pair)
        if self.settings.fetch == "shared":
            return await once_for_all(look, work, redis.Lock(self.cache.store, f"turn:{pair}", self.settings.lock_s))
        return await look() or await work()

    def perhaps_renew(self, pair: str, kept: Kept) -> None:
        """Begin a fetch that nobody waits for, if the dice say so and none is under way."""
        expires_s = self.cache.expires_s(kept)
        if early_expiry.due(time.time(), expires_s, kept.took_s, self.settings.early_beta):
            self.flights.start(pair, partial(self.renew, pair, kept))

    async def renew(self, pair: str, kept: Kept) -> Kept:
        """Fetch, unless what the dice were thrown over has been replaced since."""
        now = await self.cache.look(pair)
        return await self.query(pair) if now is None or now == kept else now

    async def query(self, pair: str) -> Kept:
        """Ask the database, and keep what it says."""
        asked_s, began_s = time.time(), time.perf_counter()
        try:
            rate = await self.ask_database(READ, pair)
        except Problem as problem:
            self.counts.queries.inc()
            self.log.warning("no rate from the database", pair=pair, why=problem.detail)
            raise
        kept = Kept(rate, asked_s, time.perf_counter() - began_s)
        first = await self.cache.keep(pair, kept)
        self.counts.queries.inc()  # together with the renewal, so that one never shows without the other
        self.counts.renewals.inc(first)
        return kept

    async def ask_database(self, statement: str, *args: object) -> str:
        """One statement that gives one text. Raises Problem: 404 where it gives none, 502 or 504 where it fails."""
        try:
            found = await self.database.value(statement, *args, within_s=self.settings.postgres_timeout_s)
        except TimeoutError as late:
            detail = f"The database gave no answer within {self.settings.postgres_timeout_s:g} s."
            raise Problem(504, "database-silent", detail) from late
        except postgres.TROUBLE as trouble:
            raise Problem(502, "database-out-of-reach", f"The database: {trouble!r}") from trouble
        if found is None:
            raise Problem(404, "no-such-pair", "There is no rate for this pair.")
        return str(found)


async def warm(connection: postgres.Connection) -> None:
    """Have the question for a rate prepared."""
    await connection.fetchval(READ, "")


def build(settings: RatesSettings, service: Service) -> web.Application:
    """The application."""
    store = redis.open_redis(settings.redis_url, settings.redis_timeout_s)
    database = postgres.Database(settings.postgres_url, settings.postgres_pool, SCHEMA, warm)
    counts = Counts.new(service.metrics.registry)
    rates = Rates(settings, database, Cache(store, settings.ttl_s), counts, service.log)

    async def connected(_: web.Application) -> AsyncIterator[None]:
        async with store, database:
            yield
            await rates.flights.close()

    service.answers("GET /rates/{pair}", 200, 404, 502, 503, 504)
    service.answers("PUT /rates/{pair}", 200, 404, 502, 503, 504)
    app = web.Application()
    app.cleanup_ctx.append(connected)
    app.add_routes([web.get("/rates/{pair}", rates.get_rate), web.put("/rates/{pair}", rates.put_rate)])
    return app


if __name__ == "__main__":
    serve("rates", RatesSettings, build)
