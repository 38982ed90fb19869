"""
Backoffice: logs staff in and draws up statements; some of that is hard work for the CPU.

    client -> backoffice
              ^^^^^^^^^^ here, alone; logins are kept in memory

POST /logins       201; the password is hashed for HASH_MS of one core, on the loop or in a thread, as HASHING says
GET /logins/keys   the id of every login, once for each: `{"effects": [...]}`, for checkers
POST /statements   200 and the closing and the lowest balance over the bookings; slow or fixed, as STATEMENTS says
GET /orders        200 at once: the light work that shares the event loop with the hard
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from typing import Annotated, Literal

from aiohttp import web
from msgspec import Meta, Struct

from targets.kit import Count, Millis, Service, Settings, answer, read_json, serve
from targets.kit.labour import hash_password, rounds_for


@dataclass(frozen=True, kw_only=True)
class BackofficeSettings(Settings):
    """What the backoffice can be told."""

    hashing: Literal["inline", "executor"] = "inline"
    hash_ms: Millis = 50.0
    hash_threads: Count = 4
    statements: Literal["slow", "fixed"] = "fixed"


class NewLogin(Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked for."""

    id: Annotated[str, Meta(min_length=1, max_length=64)]
    password: Annotated[str, Meta(min_length=1, max_length=256)]


class Bookings(Struct, frozen=True, forbid_unknown_fields=True):
    """Amounts in the order in which they were booked; the account begins at 0."""

    amounts_cents: Annotated[list[int], Meta(min_length=1, max_length=5_000)]


class Statement(Struct, frozen=True):
    """The balances that a customer asks about."""

    closing_cents: int
    lowest_cents: int


def balance_at(amounts_cents: list[int], day: int) -> int:
    """The balance after the booking number `day`, added up from the first one."""
    balance_cents = 0
    for amount_cents in amounts_cents[: day + 1]:
        balance_cents += amount_cents
    return balance_cents


def slow_statement(amounts_cents: list[int]) -> Statement:
    """Ask for each day's balance anew: n days, n squared additions."""
    balances = [balance_at(amounts_cents, day) for day in range(len(amounts_cents))]
    return Statement(balances[-1], min(balances))


def fixed_statement(amounts_cents: list[int]) -> Statement:
    """Carry the balance from day to day: n additions."""
    balances = list(accumulate(amounts_cents))
    return Statement(balances[-1], min(balances))


@dataclass(frozen=True)
class Backoffice:
    """Answers the routes. `pool` is None where the hashing is done on the event loop."""

    rounds: int
    pool: ThreadPoolExecutor | None
    statement: Callable[[list[int]], Statement]
    logins: list[str] = field(default_factory=list)

    async def post_login(self, request: web.Request) -> web.Response:
        """Hash the password, and note the login."""
        asked = await read_json(request, NewLogin)
        work = partial(hash_password, asked.password, self.rounds)
        digest = await asyncio.get_running_loop().run_in_executor(self.pool, work) if self.pool else work()
        self.logins.append(asked.id)
        return answer({"id": asked.id, "digest": digest.hex()}, 201)

    async def get_logins(self, request: web.Request) -> web.Response:
        """Every login there was; one that was done twice stands there twice."""
        return answer({"effects": self.logins})

    async def post_statement(self, request: web.Request) -> web.Response:
        """Draw up one statement."""
        return answer(self.statement((await read_json(request, Bookings)).amounts_cents))

    async def get_orders(self, request: web.Request) -> web.Response:
        """There are none."""
        return answer({"orders": []})


def build(settings: BackofficeSettings, service: Service) -> web.Application:
    """The application."""
    pool = ThreadPoolExecutor(settings.hash_threads, "hash") if settings.hashing == "executor" else None
    statement = slow_statement if settings.statements == "slow" else fixed_statement
    backoffice = Backoffice(rounds_for(settings.hash_ms), pool, statement)
    app = web.Application()
    app.add_routes(
        [
            web.post("/logins", backoffice.post_login),
            web.get("/logins/keys", backoffice.get_logins),
            web.post("/statements", backoffice.post_statement),
            web.get("/orders", backoffice.get_orders),
        ]
    )
    if pool is not None:

        async def close_pool(_: web.Application) -> None:
            pool.shutdown(wait=False, cancel_futures=True)

        app.on_cleanup.append(close_pool)
    return app


if __name__ == "__main__":
    serve("backoffice", BackofficeSettings, build)
