"""
Exchange: a buyer and a seller agree on a trade, and payments moves the money.

    client -> exchange -> (link) -> payments
              ^^^^^^^^ here; trades are kept in memory

POST /trades        201 with trade and charge; 502, 503 or 504 where payments fails, is rejected or times out
GET /trades         how many trades there are, by outcome; needs no payments
GET /trades/{id}    what the exchange knows of a trade
"""

from __future__ import annotations

import math
import os
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Literal

from aiohttp import web
from msgspec import Meta, Struct

from targets.kit import (
    Answer,
    NoAnswer,
    Peer,
    Problem,
    Seconds,
    Service,
    Settings,
    Url,
    answer,
    read_json,
    serve,
)
from targets.kit.breaking import BreakerSettings, Guard, guard_of
from targets.kit.idempotency import HEADER
from targets.kit.retrying import RetrySettings, retry_of
from targets.patterns.breaker import Refused
from targets.patterns.retry import Retry

Outcome = Literal["charged", "not-charged", "unknown"]


@dataclass(frozen=True, kw_only=True)
class ExchangeSettings(Settings):
    """What the exchange can be told."""

    payments_url: Url
    payments_timeout_s: Seconds = 2.0
    breaker: BreakerSettings = field(default_factory=BreakerSettings)
    retry: RetrySettings = field(default_factory=RetrySettings)


class NewTrade(Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked for; every field has a default, so that a load generator need not send a body."""

    id: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[\w.:-]+$")] | None = None
    amount_cents: Annotated[int, Meta(ge=1, le=10**12)] = 1_000
    buyer: Annotated[str, Meta(min_length=1, max_length=64)] = "alice"
    seller: Annotated[str, Meta(min_length=1, max_length=64)] = "bob"


class Failed(Exception):
    """Payments answered, but with no charge."""

    def __init__(self, got: Answer) -> None:
        super().__init__(f"Payments answered {got.status} and no charge.")
        self.status = got.status


@dataclass
class Deal:
    """A trade, its charge once there is one, and how many attempts may have been heard without an answer."""

    id: str
    asked: NewTrade
    charge: dict[str, object] | None = None
    indeterminate_attempts: int = 0

    @property
    def outcome(self) -> Outcome:
        """Whether money has moved, as far as the exchange can know."""
        if self.charge is not None:
            return "charged"
        return "unknown" if self.indeterminate_attempts else "not-charged"

    def view(self) -> dict[str, object]:
        """As clients see it."""
        terms = {"amount_cents": self.asked.amount_cents, "buyer": self.asked.buyer, "seller": self.asked.seller}
        return {"trade": {"id": self.id, **terms, "outcome": self.outcome}, "charge": self.charge}


@dataclass(frozen=True)
class Exchange:
    """Answers the routes. `guard` is the breaker's, or lets everything pass; each attempt goes through it."""

    payments: Peer
    guard: Guard
    retry: Retry
    deals: dict[str, Deal] = field(default_factory=dict)

    async def post_trade(self, request: web.Request) -> web.Response:
        """Settle a trade; asked again under its id, it is charged only if it was not yet."""
        asked = await read_json(request, NewTrade)
        trade_id = asked.id or os.urandom(16).hex()
        deal = self.deals.setdefault(trade_id, Deal(trade_id, asked))
        if asked != deal.asked:
            raise Problem(409, "trade-exists", "This id belongs to a trade with other terms; take a new one.")
        replay = deal.charge is not None
        if not replay:
            try:
                await self.retry.call(partial(self.charge, deal), is_retryable)
            except (Refused, NoAnswer, Failed) as error:
                raise problem_with(deal, error) from error
        location = {"Location": f"/trades/{trade_id}"}
        return answer(deal.view(), 201, {**location, "Idempotent-Replay": "true"} if replay else location)

    async def get_trades(self, request: web.Request) -> web.Response:
        """How many trades, by outcome."""
        return answer({"trades": Counter(deal.outcome for deal in self.deals.values())})

    async def get_trade(self, request: web.Request) -> web.Response:
        """One trade, settled or not."""
        deal = self.deals.get(request.match_info["id"])
        if deal is None:
            raise Problem(404, "no-such-trade", "No trade has this id.")
        return answer(deal.view())

    async def charge(self, deal: Deal) -> None:
        """One attempt at the charge, under the trade's id as key. Raises Refused, NoAnswer or Failed."""
        body = {"amount_cents": deal.asked.amount_cents, "buyer": deal.asked.buyer, "seller": deal.asked.seller}
        with self.guard():
            deal.indeterminate_attempts += 1
            try:
                got = await self.payments.post("/charges", body, {HEADER: deal.id})
            except NoAnswer as none:
                deal.indeterminate_attempts -= none.never_sent
                raise
            if got.status >= 500:  # only this is a sign of ill health: a 4xx is a quarrel about one request
                raise Failed(got)
        if got.status != 201:
            raise Failed(got)
        deal.charge = got.read(dict[str, object])


def is_retryable(error: Exception) -> bool:
    """Whether to try again: every charge has its key, so it does no harm; after a 4xx it would be no use either."""
    return isinstance(error, NoAnswer) or (isinstance(error, Failed) and error.status >= 500)


def problem_with(deal: Deal, error: Refused | NoAnswer | Failed) -> Problem:
    """The answer for a trade that was not settled; its `outcome` tells a checker whether money may have moved."""
    trade = {"trade": deal.id, "outcome": deal.outcome}
    match error:
        case Refused():
            wait = {"Retry-After": str(max(1, math.ceil(error.retry_after_s)))}
            return Problem(503, "circuit-open", f"Payments is not called now: {error}.", wait, trade)
        case NoAnswer():
            return error.problem(more=trade)
        case Failed():
            return Problem(502, "payments-failed", str(error), more={**trade, "payments_status": error.status})


def build(settings: ExchangeSettings, service: Service) -> web.Application:
    """The application."""
    payments = service.peer("payments", settings.payments_url, settings.payments_timeout_s)
    guard = guard_of(settings.breaker, service.metrics, service.log, "payments", settings.payments_timeout_s)
    exchange = Exchange(payments, guard, retry_of(settings.retry, service.metrics, "payments"))
    service.answers("POST /trades", 201, 409, 502, 503, 504)
    service.answers("GET /trades/{id}", 200, 404)
    app = web.Application()
    app.add_routes(
        [
            web.post("/trades", exchange.post_trade),
            web.get("/trades", exchange.get_trades),
            web.get("/trades/{id}", exchange.get_trade),
        ]
    )
    return app


if __name__ == "__main__":
    serve("exchange", ExchangeSettings, build)
