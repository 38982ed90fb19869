"""
Ledger: writes each booking into the books once, at a pace that its one clerk can keep.

    client -> exchange -> (link) -> payments -> (link) -> ledger
                                                          ^^^^^^ here, the last in the row; entries are kept in memory

POST /entries        with Idempotency-Key: 201 and the entry; 503 at once where QUEUE bookings wait already
GET /entries/keys    the key of every entry, once for each entry: `{"effects": [...]}`, for checkers

Each booking takes WORK_MS of one core, one after another, so that 1,000 / WORK_MS a second is its capacity. Who gave
up waiting is not taken out of the queue: the work is done for nobody. The key is looked at when the work is done, as a
unique index would; a retry costs the same as a first attempt, and is booked as none.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Annotated

from aiohttp import web
from msgspec import Meta, Struct
from prometheus_client import Counter, Gauge

from targets.kit import Count, Millis, Problem, Service, Settings, answer, read_json, serve
from targets.kit.labour import hash_password, rounds_for

LONGEST_KEY = 255


@dataclass(frozen=True, kw_only=True)
class LedgerSettings(Settings):
    """What the ledger can be told."""

    work_ms: Millis = 10.0
    queue: Count = 50


class NewEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked for."""

    amount_cents: Annotated[int, Meta(ge=1, le=10**12)]


@dataclass
class Ledger:
    """Answers the routes. `waiting` counts bookings in the queue and at work."""

    queue: int
    rounds: int
    clerk: ThreadPoolExecutor
    attempts: Counter
    refused: Counter
    waiting: Gauge
    entries: list[str] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    held: int = 0

    async def post_entry(self, request: web.Request) -> web.Response:
        """Wait for the clerk, and book."""
        key = request.headers.get("Idempotency-Key", "")
        if not 0 < len(key) <= LONGEST_KEY:
            raise Problem(400, "idempotency-key-missing", f"Send an Idempotency-Key of 1 to {LONGEST_KEY} characters.")
        asked = await read_json(request, NewEntry)
        self.attempts.inc()
        if self.held >= self.queue:
            self.refused.inc()
            raise Problem(503, "ledger-busy", f"{self.held} bookings wait already; come back later.")
        # A task of its own: the work goes on where the caller goes away.
        return answer(await asyncio.shield(asyncio.ensure_future(self.book(key, asked))), 201)

    async def book(self, key: str, asked: NewEntry) -> dict[str, object]:
        """Do the work, then write the entry unless its key is in the books."""
        self.held += 1
        self.waiting.set(self.held)
        try:
            await asyncio.get_running_loop().run_in_executor(self.clerk, hash_password, key, self.rounds)
        finally:
            self.held -= 1
            self.waiting.set(self.held)
        if key not in self.known:
            self.known.add(key)
            self.entries.append(key)
        return {"key": key, "amount_cents": asked.amount_cents}

    async def get_keys(self, request: web.Request) -> web.Response:
        """The key of every entry; one that was booked twice stands there twice."""
        return answer({"effects": self.entries})


def build(settings: LedgerSettings, service: Service) -> web.Application:
    """The application."""
    registry = service.metrics.registry
    clerk = ThreadPoolExecutor(1, "clerk")
    ledger = Ledger(
        settings.queue,
        rounds_for(settings.work_ms),
        clerk,
        Counter("ledger_attempts", "Bookings asked for, again or for the first time.", registry=registry),
        Counter("ledger_refused", "Bookings refused since too many waited.", registry=registry),
        Gauge("ledger_waiting", "Bookings in the queue and at work.", registry=registry),
    )
    app = web.Application()
    app.add_routes([web.post("/entries", ledger.post_entry), web.get("/entries/keys", ledger.get_keys)])

    async def dismiss(_: web.Application) -> None:
        clerk.shutdown(wait=False, cancel_futures=True)

    app.on_cleanup.append(dismiss)
    return app


if __name__ == "__main__":
    serve("ledger", LedgerSettings, build)
