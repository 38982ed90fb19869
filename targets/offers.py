"""
Offers: what sellers ask for, kept in Redis, and in PostgreSQL where they must outlive Redis.

    client -> offers -> (link) -> redis
              ^^^^^^ -> (link) -> postgres
              here; only WRITE=behind keeps acknowledged offers in its own memory alone

PUT /offers/{id}         201 once the offer is where WRITE says; 502 or 504: indeterminate
GET /offers/{id}         200 from Redis; 404
GET /offers/in-redis     `{"effects": [...]}`, the id of each offer that Redis has, for checkers
GET /offers/in-database  the same for PostgreSQL, once all waiting offers have been written

WRITE, the pattern under study, is where an offer is when it is acknowledged:

    redis     in Redis alone, and so only as safe as Redis' own settings make it
    through   in PostgreSQL, and then in Redis
    behind    in Redis, and in a buffer of this process that goes to PostgreSQL every FLUSH_S
    stream    in Redis, and in a stream there. Every FLUSH_S this process takes what is new in it to PostgreSQL and
              acknowledges it after that; what a crash leaves unacknowledged is taken first after the restart

Barriers: `before-database` (an offer, or a batch of them, is about to be written) and `after-database` (it is in the
database, and not yet acknowledged to the client or the stream).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Protocol

import asyncpg
from aiohttp import web
from msgspec import Meta, Struct
from prometheus_client import Counter, Gauge
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from targets.kit import (
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
from targets.kit.barriers import Barrier
from targets.kit.logs import Log

SCHEMA = "CREATE TABLE IF NOT EXISTS offers (id text PRIMARY KEY, cents bigint NOT NULL)"
# An offer that is written again is one that a crash left unacknowledged: it is there, and stays as it is.
INSERT = "INSERT INTO offers SELECT * FROM unnest($1::text[], $2::bigint[]) ON CONFLICT DO NOTHING"
LIST = "SELECT coalesce(array_agg(id), '{}') FROM offers"
KEY, STREAM, GROUP, READER = "offer:", "offers", "writers", "writer"
MOST = 10_000  # entries that are read from the stream at once
POOL = 10
READBACK_S = 10.0


@dataclass(frozen=True, kw_only=True)
class OffersSettings(Settings):
    """What offers can be told; POSTGRES_URL is needed where WRITE is not redis."""

    redis_url: RedisUrl
    redis_timeout_s: Seconds = 1.0
    postgres_url: PostgresUrl = ""
    postgres_timeout_s: Seconds = 1.0
    write: Literal["redis", "through", "behind", "stream"] = "redis"
    flush_s: Seconds = 1.0

    def __post_init__(self) -> None:
        if self.write != "redis" and not self.postgres_url:
            raise ValueError(f"POSTGRES_URL is missing: WRITE={self.write} writes to PostgreSQL; give its address")


class NewOffer(Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked for."""

    cents: Annotated[int, Meta(ge=1, le=10**12)]


@dataclass(frozen=True)
class Offer:
    """An offer."""

    id: str
    cents: int


@dataclass(frozen=True)
class Table:
    """The offers in PostgreSQL."""

    database: postgres.Database
    within_s: float
    before: Barrier
    after: Barrier
    written: Counter

    async def write(self, offers: Sequence[Offer]) -> None:
        """Have all of them there, committed. Raises TimeoutError or one of postgres.TROUBLE."""
        await self.before.passed(offers[0].id)
        ids, cents = [offer.id for offer in offers], [offer.cents for offer in offers]
        await self.database.value(INSERT, ids, cents, within_s=self.within_s)
        self.written.inc(len(offers))
        await self.after.passed(offers[0].id)

    async def ids(self) -> list[str]:
        """Of all offers."""
        found = await self.database.value(LIST, within_s=READBACK_S)
        return list(found) if isinstance(found, list) else []


class Way(Protocol):
    """How an offer is kept: `keep` until it may be acknowledged, `flush` what is still on its way to the database."""

    async def keep(self, offer: Offer) -> None:
        """Return when the offer may be acknowledged."""
        ...

    async def flush(self) -> None:
        """Write what has not been written yet."""
        ...


@dataclass(frozen=True)
class InRedis:
    """WRITE=redis."""

    store: Redis

    async def keep(self, offer: Offer) -> None:
        """Once Redis has said OK."""
        await self.store.set(KEY + offer.id, offer.cents)

    async def flush(self) -> None:
        """There is nothing to write."""


@dataclass(frozen=True)
class Through:
    """WRITE=through."""

    store: Redis
    table: Table

    async def keep(self, offer: Offer) -> None:
        """Once the transaction is committed and Redis has said OK."""
        await self.table.write([offer])
        await self.store.set(KEY + offer.id, offer.cents)

    async def flush(self) -> None:
        """All is written."""


@dataclass(frozen=True)
class Behind:
    """WRITE=behind; `waiting` dies with this process."""

    store: Redis
    table: Table
    waiting: list[Offer] = field(default_factory=list)

    async def keep(self, offer: Offer) -> None:
        """Once Redis has said OK and the offer waits its turn."""
        await self.store.set(KEY + offer.id, offer.cents)
        self.waiting.append(offer)

    async def flush(self) -> None:
        """Write what waits, in one statement; where that fails it waits on."""
        batch = self.waiting[:]
        if batch:
            await self.table.write(batch)
            del self.waiting[: len(batch)]


@dataclass(frozen=True)
class Streamed:
    """WRITE=stream."""

    store: Redis
    table: Table

    async def keep(self, offer: Offer) -> None:
        """Once Redis has the offer and its entry, both or neither."""
        async with self.store.pipeline(transaction=True) as both:
            both.set(KEY + offer.id, offer.cents)
            both.xadd(STREAM, {"id": offer.id, "cents": offer.cents})
            await both.execute()

    async def flush(self) -> None:
        """Take what was read before and not acknowledged, then what is new, and acknowledge it when it is written."""
        for which in ("0", ">"):
            await self._take(which)

    async def _take(self, which: str) -> None:
        got: Any = await self.store.xreadgroup(GROUP, READER, {STREAM: which}, count=MOST)
        entries = [entry for _, listed in got for entry in listed]
        if entries:
            await self.table.write([Offer(told[b"id"].decode(), int(told[b"cents"])) for _, told in entries])
            done = [number for number, _ in entries]
            await self.store.xack(STREAM, GROUP, *done)
            await self.store.xdel(STREAM, *done)

    async def open(self) -> None:
        """Have the group of readers there."""
        with contextlib.suppress(ResponseError):  # it is, from before a restart
            await self.store.xgroup_create(STREAM, GROUP, id="0", mkstream=True)


@dataclass(frozen=True)
class Offers:
    """Answers the routes."""

    store: Redis
    table: Table | None
    way: Way
    acknowledged: Counter
    flushing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def flush(self) -> None:
        """Write what waits; one batch after the other."""
        async with self.flushing:
            await self.way.flush()

    async def put_offer(self, request: web.Request) -> web.Response:
        """Keep an offer."""
        offer = Offer(request.match_info["id"], (await read_json(request, NewOffer)).cents)
        try:
            await self.way.keep(offer)
        except TimeoutError as late:
            raise Problem(504, "store-silent", "No answer in time: the offer may be kept or not.") from late
        except (*redis.TROUBLE, *postgres.TROUBLE) as trouble:
            raise Problem(502, "store-out-of-reach", f"The offer may be kept or not: {trouble!r}") from trouble
        self.acknowledged.inc()
        return answer(offer, 201)

    async def get_offer(self, request: web.Request) -> web.Response:
        """An offer as Redis has it."""
        name = request.match_info["id"]
        try:
            cents = await self.store.get(KEY + name)
        except redis.TROUBLE as trouble:
            raise Problem(502, "store-out-of-reach", f"Redis: {trouble!r}") from trouble
        if cents is None:
            raise Problem(404, "no-such-offer", f"There is no offer {name}.")
        return answer(Offer(name, int(cents)))

    async def in_redis(self, request: web.Request) -> web.Response:
        """What Redis has."""
        await self.store.connection_pool.disconnect(inuse_connections=False)  # one may be of before a crash
        keys = [key.decode() async for key in self.store.scan_iter(f"{KEY}*", count=1_000)]
        return answer({"effects": sorted(key.removeprefix(KEY) for key in set(keys))})

    async def in_database(self, request: web.Request) -> web.Response:
        """What PostgreSQL has."""
        if self.table is None:
            raise Problem(404, "no-database", "There is no database: POSTGRES_URL is not set.")
        await self.flush()
        try:
            return answer({"effects": await self.table.ids()})
        except asyncpg.UndefinedTableError:  # it was made when this process began, and a power loss took it
            return answer({"effects": []})


async def keep_flushing(offers: Offers, every_s: float, log: Log) -> None:
    """Flush again and again; what fails is retried."""
    while True:
        try:
            await offers.flush()
        except (*redis.TROUBLE, *postgres.TROUBLE) as trouble:
            log.warning("not written to the database yet", why=repr(trouble))
        await asyncio.sleep(every_s)


def build(settings: OffersSettings, service: Service) -> web.Application:
    """The application."""
    registry = service.metrics.registry
    store = redis.open_redis(settings.redis_url, settings.redis_timeout_s)
    before, after = (service.barriers.point(f"{where}-database") for where in ("before", "after"))
    table = None
    if settings.postgres_url:
        database = postgres.Database(settings.postgres_url, POOL, SCHEMA)
        written = Counter("offers_written", "Offers written to the database.", registry=registry)
        table = Table(database, settings.postgres_timeout_s, before, after, written)
    way = way_of(settings, store, table)
    acknowledged = Counter("offers_acknowledged", "Offers acknowledged.", registry=registry)
    offers = Offers(store, table, way, acknowledged)
    if isinstance(way, Behind):
        waiting = Gauge("offers_waiting", "Offers acknowledged that only this process has.", registry=registry)
        waiting.set_function(lambda: len(way.waiting))

    async def connected(_: web.Application) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as open_:
            await open_.enter_async_context(store)
            if table is not None:
                await open_.enter_async_context(table.database)
            if isinstance(way, Streamed):
                await way.open()
            flushing = asyncio.create_task(keep_flushing(offers, settings.flush_s, service.log))
            yield
            flushing.cancel()
            await asyncio.gather(flushing, return_exceptions=True)
            with contextlib.suppress(*redis.TROUBLE, *postgres.TROUBLE):
                await offers.flush()  # stopped politely it loses nothing

    service.answers("PUT /offers/{id}", 201, 502, 504)
    service.answers("GET /offers/{id}", 200, 404, 502)
    app = web.Application()
    app.cleanup_ctx.append(connected)
    app.add_routes(
        [
            web.get("/offers/in-redis", offers.in_redis),
            web.get("/offers/in-database", offers.in_database),
            web.put("/offers/{id}", offers.put_offer),
            web.get("/offers/{id}", offers.get_offer),
        ]
    )
    return app


def way_of(settings: OffersSettings, store: Redis, table: Table | None) -> Way:
    """What WRITE says."""
    if settings.write == "redis" or table is None:
        return InRedis(store)
    ways: dict[str, Way] = {
        "through": Through(store, table),
        "behind": Behind(store, table),
        "stream": Streamed(store, table),
    }
    return ways[settings.write]


if __name__ == "__main__":
    serve("offers", OffersSettings, build)
