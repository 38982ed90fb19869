"""
Payments: charges money once for each idempotency key, however often and however late it is asked.

    client -> exchange -> (link) -> payments
                                    ^^^^^^^^ here, the last in the row; charges are kept in memory

POST /charges             with Idempotency-Key: 201 and the charge; asked again, the same answer, marked as a replay
GET /charges, ?key=KEY    what has been charged, counted in the ledger itself, for people and checkers
GET /charges/keys         the key of every charge, once for each charge: `{"effects": [...]}`, for checkers
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Annotated

from aiohttp import web
from msgspec import Meta, Struct
from prometheus_client import Counter

from targets.kit import Millis, Problem, Service, Settings, answer, read_json, serve

Cents = Annotated[int, Meta(ge=1, le=10**12)]
Party = Annotated[str, Meta(min_length=1, max_length=64)]
LONGEST_KEY = 255


@dataclass(frozen=True, kw_only=True)
class PaymentsSettings(Settings):
    """What payments can be told."""

    work_ms: Millis = 2.0  # how long a charge takes; the loop stays free meanwhile


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


@dataclass(frozen=True)
class Payments:
    """Answers the two routes; `asked` holds what was first asked under each key, and the work on it."""

    settings: PaymentsSettings
    charges: Counter
    duplicates: Counter
    ledger: Ledger = field(default_factory=Ledger)
    asked: dict[str, tuple[NewCharge, asyncio.Task[Charge]]] = field(default_factory=dict)

    async def post_charge(self, request: web.Request) -> web.Response:
        """Charge once; whoever comes with the same key, even meanwhile, gets the first one's answer."""
        key = request.headers.get("Idempotency-Key", "")
        if not 0 < len(key) <= LONGEST_KEY:
            detail = f"Send an Idempotency-Key of 1 to {LONGEST_KEY} characters, the same with every retry."
            raise Problem(400, "idempotency-key-missing", detail)
        wanted = await read_json(request, NewCharge)
        replay = key in self.asked
        if not replay:
            self.asked[key] = wanted, asyncio.create_task(self.work(key, wanted))
        first, work = self.asked[key]
        if first != wanted:
            raise Problem(422, "idempotency-key-reused", "This key was first used with another body; take a new one.")
        if replay:
            self.duplicates.inc()
        charge = await asyncio.shield(work)  # one caller's end is not the end of the work: others may wait for it
        location = {"Location": f"/charges?key={key}"}
        return answer(charge, 201, {**location, "Idempotent-Replay": "true"} if replay else location)

    async def work(self, key: str, wanted: NewCharge) -> Charge:
        """What a bank would take its time for."""
        if self.settings.work_ms:
            await asyncio.sleep(self.settings.work_ms / 1000)
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

    async def get_keys(self, request: web.Request) -> web.Response:
        """The key of every charge; one that was charged twice stands there twice."""
        return answer({"effects": self.ledger.keys})


def build(settings: PaymentsSettings, service: Service) -> web.Application:
    """The application."""
    registry = service.metrics.registry
    payments = Payments(
        settings,
        Counter("payments_charges", "Charges made.", registry=registry),
        Counter("payments_duplicate_charges", "Charges asked for again and not made again.", registry=registry),
    )
    app = web.Application()
    app.add_routes(
        [
            web.post("/charges", payments.post_charge),
            web.get("/charges", payments.get_charges),
            web.get("/charges/keys", payments.get_keys),
        ]
    )
    return app


if __name__ == "__main__":
    serve("payments", PaymentsSettings, build)
