"""
Intake: takes items, and acknowledges each once it is committed.

    client -> intake -> (link) -> postgres
              ^^^^^^ here; only waiting items are in its own memory

POST /items {id}  201 once the item is committed; 503: refused, and not kept; 502 or 504: indeterminate
GET /items        `{"effects": [...]}`, the id of each item that PostgreSQL has, for checkers

COMMIT, the pattern under study, is how many items share the commit that they wait for:

    each         one item per commit, one commit at a time; 503 where its turn does not come within WAIT_S
    batch        all that came during the previous commit (targets/patterns/batching.py), over one connection
    connections  one item per commit, over as many connections as POSTGRES_POOL says: PostgreSQL syncs its log once for
                 all commits that wait for it
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from aiohttp import web
from msgspec import Meta, Struct
from prometheus_client import Counter, Gauge

from targets.kit import Count, PostgresUrl, Problem, Seconds, Service, Settings, answer, postgres, read_json, serve
from targets.patterns.batching import Batches

SCHEMA = "CREATE TABLE IF NOT EXISTS item (id text PRIMARY KEY)"
# One that is sent again is there already.
INSERT = "INSERT INTO item SELECT unnest($1::text[]) ON CONFLICT DO NOTHING"
LIST = "SELECT coalesce(array_agg(id), '{}') FROM item"
READBACK_S = 10.0


@dataclass(frozen=True, kw_only=True)
class IntakeSettings(Settings):
    """How items share commits."""

    postgres_url: PostgresUrl
    postgres_timeout_s: Seconds = 5.0
    postgres_pool: Count = 1
    commit: Literal["each", "batch", "connections"] = "each"
    wait_s: Seconds = 1.0


class Item(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be kept."""

    id: Annotated[str, Meta(min_length=1, max_length=64)]


Keep = Callable[[str], Awaitable[None]]


@dataclass(frozen=True)
class Table:
    """The items in PostgreSQL."""

    database: postgres.Database
    within_s: float
    commits: Counter

    async def write(self, ids: Sequence[str]) -> None:
        """Commit them together. Raises TimeoutError or another of postgres.TROUBLE."""
        await self.database.value(INSERT, list(ids), within_s=self.within_s)
        self.commits.inc()

    async def ids(self) -> list[str]:
        """Of all items."""
        found = await self.database.value(LIST, within_s=READBACK_S)
        return list(found) if isinstance(found, list) else []


@dataclass(frozen=True)
class Intake:
    """Answers the routes."""

    table: Table
    keep: Keep
    acknowledged: Counter

    async def post_item(self, request: web.Request) -> web.Response:
        """Keep an item."""
        item = await read_json(request, Item)
        try:
            await self.keep(item.id)
        except TimeoutError as late:
            raise Problem(504, "database-silent", "No answer in time: the item may be kept or not.") from late
        except postgres.TROUBLE as trouble:
            raise Problem(502, "database-broke-off", f"The item may be kept or not: {trouble!r}") from trouble
        self.acknowledged.inc()
        return answer(item, 201)

    async def get_items(self, request: web.Request) -> web.Response:
        """What there is, for checkers."""
        return answer({"effects": await self.table.ids()})


def one_at_a_time(table: Table, wait_s: float) -> Keep:
    """COMMIT=each: a commit for each item, in the order in which they come."""
    turn = asyncio.Lock()

    async def keep(item: str) -> None:
        try:
            await asyncio.wait_for(turn.acquire(), wait_s)
        except TimeoutError:
            raise Problem(503, "no-turn", f"Its turn did not come within {wait_s:g} s; it is not kept.") from None
        try:
            await table.write([item])
        finally:
            turn.release()

    return keep


def keeping(settings: IntakeSettings, table: Table, waiting: Gauge) -> Keep:
    """What COMMIT says."""
    if settings.commit == "each":
        return one_at_a_time(table, settings.wait_s)
    if settings.commit == "connections":
        return lambda item: table.write([item])
    batches: Batches[str] = Batches(table.write)
    waiting.set_function(lambda: batches.waiting)
    return batches.add


def build(settings: IntakeSettings, service: Service) -> web.Application:
    """The application."""
    registry = service.metrics.registry
    database = postgres.Database(settings.postgres_url, settings.postgres_pool, SCHEMA)
    commits = Counter("intake_commits", "Commits that succeeded.", registry=registry)
    acknowledged = Counter("intake_acknowledged", "Items acknowledged.", registry=registry)
    waiting = Gauge("intake_waiting", "Items that wait for the next batch.", registry=registry)
    table = Table(database, settings.postgres_timeout_s, commits)
    intake = Intake(table, keeping(settings, table, waiting), acknowledged)

    async def connected(_: web.Application) -> AsyncIterator[None]:
        async with database:
            yield

    service.answers("POST /items", 201, 502, 503, 504)
    app = web.Application()
    app.cleanup_ctx.append(connected)
    app.add_routes([web.post("/items", intake.post_item), web.get("/items", intake.get_items)])
    return app


if __name__ == "__main__":
    serve("intake", IntakeSettings, build)
