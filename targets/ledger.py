"""
Ledger: writes each booking into the books once, one after another, and into the standby's before it says so.

    client -> exchange -> (link) -> payments -> (link) -> ledger [-> (link) -> ledger as standby]
                                                          ^^^^^^ here; entries are kept in memory

POST /entries        with Idempotency-Key: 201 and the entry; 503 at once where QUEUE bookings wait already, and for
                     every STUMBLE_EVERY-th, which a retry would have saved;
                     502 or 504 where the standby did not say that it wrote it; ask again under the same key
GET /entries/keys    the key of every entry, once for each entry: `{"effects": [...]}`, for checkers

A booking takes WORK_MS of waiting, as for a disc, and with a standby the time until that has it too. So the capacity is
one booking in that time, and a standby that is further away is a ledger that can do less. It knows no deadline: a
booking whose caller has timed out stays in the queue, and its work is done for no caller. The key is looked at when the
work is done, as a unique index would; a retry costs as much as a first attempt, and is booked as none. A stumble is
what happens to one request in many at any time: an idle timeout closes a connection, a node is being replaced.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Annotated

from aiohttp import web
from msgspec import Meta, Struct
from prometheus_client import Counter, Gauge

from targets.kit import (
    Between,
    Count,
    Millis,
    NoAnswer,
    Peer,
    Problem,
    Seconds,
    Service,
    Settings,
    Url,
    answer,
    effects,
    read_json,
    serve,
)
from targets.kit.idempotency import HEADER, key_of


@dataclass(frozen=True, kw_only=True)
class LedgerSettings(Settings):
    """What the ledger can be told; without STANDBY_URL it has no standby."""

    standby_url: Url = ""
    standby_timeout_s: Seconds = 5.0
    work_ms: Millis = 10.0
    queue: Count = 50
    stumble_every: Annotated[int, Between(0, 1_000_000)] = 0  # 0: never


class NewEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked for."""

    amount_cents: Annotated[int, Meta(ge=1, le=10**12)]


@dataclass
class Ledger:
    """Answers the routes. `waiting` shows the bookings in the queue and at work, of which there are `held`."""

    settings: LedgerSettings
    standby: Peer | None
    booked: Counter
    repeated: Counter
    refused: Counter
    stumbled: Counter
    waiting: Gauge
    pen: asyncio.Lock = field(default_factory=asyncio.Lock)  # first come, first served
    entries: list[str] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    held: int = 0
    asked: int = 0

    async def post_entry(self, request: web.Request) -> web.Response:
        """Wait for the turn, and book."""
        key, asked = key_of(request), await read_json(request, NewEntry)
        self.asked += 1
        if self.settings.stumble_every and self.asked % self.settings.stumble_every == 0:
            self.stumbled.inc()
            raise Problem(503, "ledger-stumbled", "This booking met a moment's failure and was not made; ask again.")
        if self.held >= self.settings.queue:
            self.refused.inc()
            raise Problem(503, "ledger-busy", f"{self.held} bookings wait already; come back later.")
        self._hold(+1)
        try:
            async with self.pen:
                await self.write(key, asked)
        finally:
            self._hold(-1)
        return answer({"key": key, "amount_cents": asked.amount_cents}, 201)

    async def write(self, key: str, asked: NewEntry) -> None:
        """Do the work, then write the entry unless its key is in the books."""
        await asyncio.sleep(self.settings.work_ms / 1000)
        if self.standby is not None:
            await self._write_there(self.standby, key, asked)
        if key in self.known:
            self.repeated.inc()
            return
        self.known.add(key)
        self.entries.append(key)
        self.booked.inc()

    async def _write_there(self, standby: Peer, key: str, asked: NewEntry) -> None:
        try:
            got = await standby.post("/entries", {"amount_cents": asked.amount_cents}, {HEADER: key})
        except NoAnswer as none:
            raise none.problem("ask again with the same key") from none
        if got.status != 201:
            raise Problem(502, "standby-failed", f"The standby answered {got.status}; ask again with the same key.")

    def _hold(self, more: int) -> None:
        self.held += more
        self.waiting.set(self.held)


def build(settings: LedgerSettings, service: Service) -> web.Application:
    """The application."""
    registry = service.metrics.registry
    standby = None
    if settings.standby_url:
        standby = service.peer("standby", settings.standby_url, settings.standby_timeout_s)
    ledger = Ledger(
        settings,
        standby,
        Counter("ledger_booked", "Entries written.", registry=registry),
        Counter("ledger_repeated", "Work done for a booking that was in the books already.", registry=registry),
        Counter("ledger_refused", "Bookings refused since too many waited.", registry=registry),
        Counter("ledger_stumbled", "Bookings refused for a moment's failure.", registry=registry),
        Gauge("ledger_waiting", "Bookings in the queue and at work.", registry=registry),
    )
    service.answers("POST /entries", 201, 502, 503, 504)
    app = web.Application()
    app.add_routes([web.post("/entries", ledger.post_entry), web.get("/entries/keys", effects(lambda: ledger.entries))])
    return app


if __name__ == "__main__":
    serve("ledger", LedgerSettings, build)
