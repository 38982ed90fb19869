"""
Outbox: keeps items, and announces each in PostgreSQL's log, from where change data capture would read it.

    client -> outbox -> (link) -> postgres
              ^^^^^^ here; nothing is in its own memory

POST /items {id}  201 once item and event are committed; 503: refused, and not kept; 502 or 504: indeterminate
GET /items/count  `{"count": 12}`, as PostgreSQL counts them now; 502 or 504 where it does not answer
GET /items        `{"effects": [...]}`, the id of each item that PostgreSQL has, for checkers

An event has EVENT_BYTES and is in the log alone (pg_logical_emit_message), in the transaction of its item. So the log
takes room much faster than the table does.

With WATERMARK items are refused (503) before the disk under POSTGRES_DATA_DIR is full: targets/patterns/watermark.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Annotated

from aiohttp import web
from msgspec import Meta, Struct
from prometheus_client import Counter

from targets.kit import (
    Between,
    Count,
    PostgresUrl,
    Problem,
    Seconds,
    Service,
    Settings,
    answer,
    postgres,
    read_json,
    serve,
)
from targets.kit.room import Room, WatermarkSettings

SCHEMA = "CREATE TABLE IF NOT EXISTS item (id text PRIMARY KEY)"
# One that is sent again is there already, and so is its event.
INSERT = """
WITH kept AS (INSERT INTO item VALUES ($1) ON CONFLICT DO NOTHING RETURNING id)
SELECT pg_logical_emit_message(true, 'outbox', repeat('x', $2::int))::text FROM kept
"""
COUNT = "SELECT count(*) FROM item"
LIST = "SELECT coalesce(array_agg(id), '{}') FROM item"
READBACK_S = 10.0


@dataclass(frozen=True, kw_only=True)
class OutboxSettings(Settings):
    """How large an event is, and when items are refused for want of room."""

    postgres_url: PostgresUrl
    postgres_timeout_s: Seconds = 5.0
    postgres_pool: Count = 8
    postgres_data_dir: str = ""
    event_bytes: Annotated[int, Between(1, 1_000_000, "bytes")] = 1_000
    room: WatermarkSettings = field(default_factory=WatermarkSettings)

    def __post_init__(self) -> None:
        if self.room.watermark and not self.postgres_data_dir:
            raise ValueError(
                "POSTGRES_DATA_DIR is missing: WATERMARK=on looks at the room there; give PostgreSQL's data folder"
            )


class Item(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be kept."""

    id: Annotated[str, Meta(min_length=1, max_length=64)]


@dataclass(frozen=True)
class Outbox:
    """Answers the routes."""

    settings: OutboxSettings
    database: postgres.Database
    acknowledged: Counter
    room: Room | None

    async def post_item(self, request: web.Request) -> web.Response:
        """Keep an item, with its event."""
        item = await read_json(request, Item)
        if self.room is not None:
            self.room.admit()
        async with trouble_told("The item may be kept or not"):
            await self.ask(INSERT, item.id, self.settings.event_bytes)
        self.acknowledged.inc()
        return answer(item, 201)

    async def get_count(self, request: web.Request) -> web.Response:
        """How many items there are."""
        async with trouble_told("Not counted"):
            return answer({"count": await self.ask(COUNT)})

    async def get_items(self, request: web.Request) -> web.Response:
        """What there is, for checkers."""
        return answer({"effects": await self.database.value(LIST, within_s=READBACK_S)})

    async def ask(self, statement: str, *args: object) -> object:
        """One statement. Raises TimeoutError or another of postgres.TROUBLE."""
        return await self.database.value(statement, *args, within_s=self.settings.postgres_timeout_s)


@asynccontextmanager
async def trouble_told(what: str) -> AsyncIterator[None]:
    """Trouble with the database as a Problem: 504 where it gave no answer in time, else 502."""
    try:
        yield
    except TimeoutError as late:
        raise Problem(504, "database-silent", f"{what}: no answer in time.") from late
    except postgres.TROUBLE as trouble:
        raise Problem(502, "database-broke-off", f"{what}: {trouble!r}") from trouble


def build(settings: OutboxSettings, service: Service) -> web.Application:
    """The application."""
    registry = service.metrics.registry
    database = postgres.Database(settings.postgres_url, settings.postgres_pool, SCHEMA)
    acknowledged = Counter("outbox_acknowledged", "Items acknowledged.", registry=registry)
    room = None
    if settings.room.watermark:
        room = Room(settings.room, settings.postgres_data_dir, registry, service.log)
    outbox = Outbox(settings, database, acknowledged, room)

    async def connected(_: web.Application) -> AsyncIterator[None]:
        async with database, room.watched() if room else nullcontext():
            yield

    service.answers("POST /items", 201, 502, 503, 504)
    service.answers("GET /items/count", 200, 502, 504)
    app = web.Application()
    app.cleanup_ctx.append(connected)
    app.add_routes(
        [
            web.post("/items", outbox.post_item),
            web.get("/items", outbox.get_items),
            web.get("/items/count", outbox.get_count),
        ]
    )
    return app


if __name__ == "__main__":
    serve("outbox", OutboxSettings, build)
