"""
Orders: rows in a PostgreSQL that has standbys; the service finds the server that accepts writes, and chooses where it
reads.

    client -> orders -> (link) -> primary
              ^^^^^^ -> (link) -> standby-a, standby-b, each of which follows the primary
              here

PUT /orders/{id}   {"version": 7}: 201 once the server has committed, and replicated as it is set to; 502 or 504:
                   indeterminate; 503: there was no connection, and nothing was done
GET /orders/{id}   200 with the version and the server that was read; the version is null where it has no such order
GET /orders/keys   `{"effects": [...]}`, the id of each order that the primary has, for checkers

A request may carry `Session: name`. READ, the pattern under study, is where an order is read:

    any   at a server chosen at random
    lsn   the same, but a standby must first have replayed the session's last write (its LSN); where that takes longer
          than LSN_WAIT_S, at the primary
    own   at the primary where the order is the session's own (its name is the session's), else at any server
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Annotated, Literal

import asyncpg
from aiohttp import web
from msgspec import Meta, Struct
from prometheus_client import Counter, Gauge

from targets.kit import Count, PostgresUrl, Problem, Seconds, Service, Settings, answer, read_json, serve
from targets.kit.logs import Log
from targets.kit.postgres import TROUBLE

SCHEMA = "CREATE TABLE IF NOT EXISTS orders (id text PRIMARY KEY, version bigint NOT NULL)"
WRITE = "INSERT INTO orders VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET version = excluded.version"
READ = "SELECT version FROM orders WHERE id = $1"
LIST = "SELECT coalesce(array_agg(id), '{}') FROM orders"
WRITTEN = "SELECT pg_current_wal_insert_lsn()::text"  # after the commit: it covers it
REPLAYED = "SELECT pg_is_in_recovery(), coalesce(pg_last_wal_replay_lsn() >= $1::text::pg_lsn, true)"
ACCEPTS = "SELECT NOT pg_is_in_recovery()"
BEHIND = "SELECT pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, '0/0')::float8"  # noqa: E501
ASKED_S, LOOK_EVERY_S, AGAIN_S, WATCH_EVERY_S = 0.5, 0.05, 0.02, 0.5
READBACK_S = 8.0


@dataclass(frozen=True, kw_only=True)
class OrdersSettings(Settings):
    """What orders can be told. A standby without a URL is not there."""

    primary_url: PostgresUrl
    standby_a_url: PostgresUrl = ""
    standby_b_url: PostgresUrl = ""
    postgres_timeout_s: Seconds = 1.0
    postgres_pool: Count = 10  # connections to each server, opened as they are needed
    read: Literal["any", "lsn", "own"] = "any"
    lsn_wait_s: Seconds = 2.0


class NewVersion(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be the order's version."""

    version: Annotated[int, Meta(ge=0, le=10**15)]


class NotThere(Exception):
    """No connection to a server: it was asked for nothing."""


@dataclass
class Server:
    """One server, with connections that are opened when they are needed."""

    name: str
    pool: asyncpg.Pool[asyncpg.Record]

    async def value(self, statement: str, *args: object, within_s: float) -> object:
        """The first column of the first row. Raises NotThere, TimeoutError, or another of TROUBLE."""
        row = await self.row(statement, *args, within_s=within_s)
        return None if row is None else row[0]

    async def row(self, statement: str, *args: object, within_s: float) -> asyncpg.Record | None:
        """The first row, in one attempt. Raises as `value` does."""
        async with asyncio.timeout(within_s):
            try:
                connection = await self.pool.acquire()
            except TimeoutError:
                raise
            except TROUBLE as trouble:
                raise NotThere(f"{self.name}: {trouble!r}") from trouble
            try:
                return await connection.fetchrow(statement, *args)
            except asyncio.CancelledError:
                connection.terminate()  # else the pool would ask a silent server to stop, and wait for that
                raise
            finally:
                await self.pool.release(connection)


@dataclass
class Cluster:
    """The servers, and which of them accepts writes."""

    servers: Sequence[Server]
    log: Log
    primary: Server = field(init=False)
    looking: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        self.primary = self.servers[0]

    def lost(self) -> None:
        """The primary did not do as asked: look for another, once for all who notice."""
        if self.looking is None or self.looking.done():
            self.looking = asyncio.create_task(self._look())

    async def _look(self) -> None:
        """Ask each server in turn until one accepts writes."""
        while True:
            for server in self.servers:
                with suppress(NotThere, *TROUBLE):
                    if await server.value(ACCEPTS, within_s=ASKED_S):
                        if server is not self.primary:
                            self.log.info("another primary", server=server.name)
                        self.primary = server
                        return
            await asyncio.sleep(LOOK_EVERY_S)

    async def close(self) -> None:
        """Stop looking, and let go of all connections."""
        if self.looking is not None:
            self.looking.cancel()
            await asyncio.gather(self.looking, return_exceptions=True)
        for server in self.servers:
            server.pool.terminate()


@dataclass(frozen=True)
class Counts:
    """What orders counts, beside what every target does."""

    reads: Counter
    behind: Gauge
    accepts: Gauge


@dataclass(frozen=True)
class Orders:
    """Answers the routes."""

    settings: OrdersSettings
    cluster: Cluster
    counts: Counts
    written: dict[str, str] = field(default_factory=dict)  # by session, the LSN that covers its last write

    async def put_order(self, request: web.Request) -> web.Response:
        """Write a version."""
        name, asked = request.match_info["id"], await read_json(request, NewVersion)
        primary, within_s = self.cluster.primary, self.settings.postgres_timeout_s
        async with self._told(primary):
            await primary.value(WRITE, name, asked.version, within_s=within_s)
            if self.settings.read == "lsn":
                self.written[session_of(request)] = str(await primary.value(WRITTEN, within_s=within_s))
        return answer({"id": name, "version": asked.version, "by": primary.name}, 201)

    async def get_order(self, request: web.Request) -> web.Response:
        """Read a version where READ says."""
        name, session = request.match_info["id"], session_of(request)
        server = random.choice(self.cluster.servers)
        if self.settings.read == "own" and session == name:
            server = self.cluster.primary
        async with self._told(server):
            if self.settings.read == "lsn" and not await self._caught_up(server, self.written.get(session)):
                server = self.cluster.primary
            version = await server.value(READ, name, within_s=self.settings.postgres_timeout_s)
        self.counts.reads.labels(server.name).inc()
        return answer({"id": name, "version": version, "by": server.name})

    async def _caught_up(self, server: Server, lsn: str | None) -> bool:
        """Wait until a server has what the session wrote; whether it has. Asked before it is read, not after."""
        if lsn is None:
            return True
        with suppress(TimeoutError):
            async with asyncio.timeout(self.settings.lsn_wait_s):
                while True:
                    found = await server.row(REPLAYED, lsn, within_s=self.settings.postgres_timeout_s)
                    if found is not None and (not found[0] or found[1]):
                        return True
                    await asyncio.sleep(AGAIN_S)
        return False

    async def get_keys(self, request: web.Request) -> web.Response:
        """The id of each order that the primary has."""
        primary = self.cluster.primary
        async with self._told(primary):
            found = await primary.value(LIST, within_s=READBACK_S)
        return answer({"effects": found, "by": primary.name})

    @asynccontextmanager
    async def _told(self, server: Server) -> AsyncIterator[None]:
        """Turn what goes wrong at a server into an answer, and look for another primary where it was that."""
        try:
            yield
        except TimeoutError as late:
            raise Problem(504, "database-silent", f"{server.name} gave no answer in time.") from late
        except NotThere as none:
            self.cluster.lost()
            raise Problem(503, "no-connection", f"Nothing was done. {none}") from none
        except TROUBLE as trouble:
            self.cluster.lost()
            raise Problem(502, "database-broke-off", f"{server.name}: {trouble!r}") from trouble


def session_of(request: web.Request) -> str:
    """Whose request it is."""
    return request.headers.get("Session", "")


async def watch(cluster: Cluster, counts: Counts) -> None:
    """Show how far each server is behind the one that is furthest, and which one writes go to."""
    while True:
        reached: dict[str, float] = {}
        for server in cluster.servers:
            with suppress(NotThere, *TROUBLE):
                found = await server.value(BEHIND, within_s=ASKED_S)
                reached[server.name] = float(found) if isinstance(found, float) else 0.0
            counts.accepts.labels(server.name).set(server is cluster.primary)
        for name, position in reached.items():
            counts.behind.labels(name).set(max(reached.values()) - position)
        await asyncio.sleep(WATCH_EVERY_S)


def build(settings: OrdersSettings, service: Service) -> web.Application:
    """The application."""
    registry = service.metrics.registry
    counts = Counts(
        Counter("orders_reads", "Reads, by the server that told.", ("server",), registry=registry),
        Gauge("orders_behind_bytes", "WAL that a server has not replayed yet.", ("server",), registry=registry),
        Gauge("orders_writes_to", "1 at the server that gets the writes.", ("server",), registry=registry),
    )
    urls = {"primary": settings.primary_url, "standby-a": settings.standby_a_url, "standby-b": settings.standby_b_url}
    names = [name for name, url in urls.items() if url]
    for name in names:
        counts.reads.labels(name)

    async def connected(app: web.Application) -> AsyncIterator[None]:
        pools = [asyncpg.create_pool(urls[name], min_size=0, max_size=settings.postgres_pool) for name in names]
        for pool in pools:
            await pool
        servers = [Server(name, pool) for name, pool in zip(names, pools, strict=True)]
        cluster = Cluster(servers, service.log)
        await servers[0].pool.execute(SCHEMA)
        orders = Orders(settings, cluster, counts)
        app[ORDERS] = orders
        watching = asyncio.create_task(watch(cluster, counts))
        yield
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await cluster.close()

    service.answers("PUT /orders/{id}", 201, 502, 503, 504)
    service.answers("GET /orders/{id}", 200, 502, 503, 504)
    app = web.Application()
    app.cleanup_ctx.append(connected)

    async def get_keys(request: web.Request) -> web.Response:
        return await app[ORDERS].get_keys(request)

    async def put_order(request: web.Request) -> web.Response:
        return await app[ORDERS].put_order(request)

    async def get_order(request: web.Request) -> web.Response:
        return await app[ORDERS].get_order(request)

    app.add_routes(
        [
            web.get("/orders/keys", get_keys),
            web.put("/orders/{id}", put_order),
            web.get("/orders/{id}", get_order),
        ]
    )
    return app


ORDERS = web.AppKey("orders", Orders)

if __name__ == "__main__":
    serve("orders", OrdersSettings, build)
