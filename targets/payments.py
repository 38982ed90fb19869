"""
Payments: charges money once for each idempotency key, however often and however late it is asked.

    client -> exchange -> (link) -> payments [-> (link) -> ledger]
                                    ^^^^^^^^ here; charges are kept in memory, and booked by the ledger if there is one

POST /charges             with Idempotency-Key: 201 and the charge; asked again, the same answer, marked as a replay
                          (IDEMPOTENCY=off: charged again);
                          502 or 504 where the ledger did not say that it booked it; ask again under the same key
GET /charges, ?key=KEY    what has been charged, counted in the ledger itself, for people and checkers
GET /charges/keys         the key of every charge, once for each charge: `{"effects": [...]}`, for checkers
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated

from aiohttp import web
from msgspec import Meta, Struct
from prometheus_client import Counter

from targets.kit import (
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
from targets.kit.idempotency import HEADER, Once, key_of
from targets.kit.retrying import RetrySettings, retry_of
from targets.patterns.retry import Retry

Cents = Annotated[int, Meta(ge=1, le=10**12)]
Party = Annotated[str, Meta(min_length=1, max_length=64)]


@dataclass(frozen=True, kw_only=True)
class PaymentsSettings(Settings):
    """What payments can be told; without LEDGER_URL it books by itself."""

    ledger_url: Url = ""
    ledger_timeout_s: Seconds = 0.5
    work_ms: Millis = 2.0  # how long a charge takes; the loop stays free meanwhile
    idempotency: bool = True  # a key that is asked for again is charged once
    retry: RetrySettings = field(default_factory=RetrySettings)  # of bookings


class NewCharge(Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked for."""

    amount_cents: Cents
    buyer: Party
    seller: Party


class Charge(Struct, frozen=True):
    """Money that has moved."""

    id: str
    key: str
    amount_cents: int
    buyer: str
    seller: str


@dataclass
class Ledger:
    """All charges ever made. It knows nothing of idempotency, so that it can tell when that failed."""

    keys: list[str] = field(default_factory=list)  # of each charge, in order: one charged twice is in here twice
    total_cents: int = 0
    by_key: dict[str, list[Charge]] = field(default_factory=dict)

    def add(self, key: str, asked: NewCharge) -> Charge:
        """Move the money."""
        self.keys.append(key)
        self.total_cents += asked.amount_cents
        charge = Charge(f"ch-{len(self.keys)}", key, asked.amount_cents, asked.buyer, asked.seller)
        self.by_key.setdefault(key, []).append(charge)
        return charge


class NotBooked(Exception):
    """The ledger answered, but booked nothing."""

    def __init__(self, status: int) -> None:
        super().__init__(f"The ledger answered {status}")
        self.status = status


def is_retryable(error: Exception) -> bool:
    """Whether to ask the ledger again: it books a key once, so that this does no harm."""
    return isinstance(error, NoAnswer) or (isinstance(error, NotBooked) and error.status >= 500)


@dataclass(frozen=True)
class Books:
    """The way to the ledger."""

    ledger: Peer
    retry: Retry

    async def book(self, key: str, asked: NewCharge) -> None:
        """Have it booked. Raises NoAnswer or NotBooked, of the last attempt."""
        await self.retry.call(partial(self._attempt, key, asked), is_retryable)

    async def _attempt(self, key: str, asked: NewCharge) -> None:
        got = await self.ledger.post("/entries", {"amount_cents": asked.amount_cents}, {HEADER: key})
        if got.status != 201:
            raise NotBooked(got.status)


@dataclass(frozen=True)
class Payments:
    """Answers the routes."""

    settings: PaymentsSettings
    charges: Counter
    duplicates: Counter
    books: Books | None = None
    ledger: Ledger = field(default_factory=Ledger)
    once: Once[NewCharge, Charge] = field(default_factory=Once)

    async def post_charge(self, request: web.Request) -> web.Response:
        """Charge once; a request that repeats the key, even meanwhile, gets the first one's answer."""
        key, wanted = key_of(request), await read_json(request, NewCharge)
        try:
            if self.settings.idempotency:
                charge, replay = await self.once.result(key, wanted, partial(self.work, key, wanted))
            else:
                charge, replay = await self.work(key, wanted), False
        except NoAnswer as none:
            raise none.problem("ask again with the same key") from none
        except NotBooked as error:
            raise Problem(502, "charge-not-booked", f"{error}; ask again with the same key.") from error
        if replay:
            self.duplicates.inc()
        location = {"Location": f"/charges?key={key}"}
        return answer(charge, 201, {**location, "Idempotent-Replay": "true"} if replay else location)

    async def work(self, key: str, wanted: NewCharge) -> Charge:
        """What a bank would take its time for."""
        if self.settings.work_ms:
            await asyncio.sleep(self.settings.work_ms / 1000)
        if self.books is not None:
            await self.books.book(key, wanted)
        self.charges.inc()
        return self.ledger.add(key, wanted)

    async def get_charges(self, request: web.Request) -> web.Response:
        """Count and total of all charges; or count, total and charges of one key."""
        key = request.query.get("key")
        if key is None:
            return answer({"count": len(self.ledger.keys), "total_cents": self.ledger.total_cents})
        found = self.ledger.by_key.get(key, [])
        total_cents = sum(charge.amount_cents for charge in found)
        return answer({"count": len(found), "total_cents": total_cents, "charges": found})


def build(settings: PaymentsSettings, service: Service) -> web.Application:
    """The application."""
    registry = service.metrics.registry
    books = None
    if settings.ledger_url:
        peer = service.peer("ledger", settings.ledger_url, settings.ledger_timeout_s)
        books = Books(peer, retry_of(settings.retry, service.metrics, "ledger"))
    payments = Payments(
        settings,
        Counter("payments_charges", "Charges made.", registry=registry),
        Counter("payments_duplicate_charges", "Charges asked for again and not made again.", registry=registry),
        books,
    )
    service.answers("POST /charges", 201, 502, 504)
    app = web.Application()
    app.add_routes(
        [
            web.post("/charges", payments.post_charge),
            web.get("/charges", payments.get_charges),
            web.get("/charges/keys", effects(lambda: payments.ledger.keys)),
        ]
    )
    return app


if __name__ == "__main__":
    serve("payments", PaymentsSettings, build)
