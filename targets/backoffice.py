"""
Backoffice: draws up statements of account, which is work for the CPU.

    client -> backoffice
              ^^^^^^^^^^ here, alone; nothing is kept

POST /statements   200 and the closing and the lowest balance over the bookings; slow or fixed, as STATEMENTS says
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Annotated, Literal

from aiohttp import web
from msgspec import Meta, Struct

from targets.kit import Service, Settings, answer, read_json, serve


@dataclass(frozen=True, kw_only=True)
class BackofficeSettings(Settings):
    """What the backoffice can be told."""

    statements: Literal["slow", "fixed"] = "fixed"


class Bookings(Struct, frozen=True, forbid_unknown_fields=True):
    """Amounts in the order in which they were booked; the account begins at 0."""

    amounts_cents: Annotated[list[int], Meta(min_length=1, max_length=5_000)]


class Statement(Struct, frozen=True):
    """The balances that a customer asks about."""

    closing_cents: int
    lowest_cents: int


def balance_at(amounts_cents: Sequence[int], day: int) -> int:
    """The balance after the booking number `day`, added up from the first one."""
    balance_cents = 0
    for amount_cents in amounts_cents[: day + 1]:
        balance_cents += amount_cents
    return balance_cents


def slow_statement(amounts_cents: Sequence[int]) -> Statement:
    """Ask for each day's balance anew: n days, n squared / 2 additions."""
    balances = [balance_at(amounts_cents, day) for day in range(len(amounts_cents))]
    return Statement(balances[-1], min(balances))


def fixed_statement(amounts_cents: Sequence[int]) -> Statement:
    """Carry the balance from day to day: n additions."""
    balances = list(accumulate(amounts_cents))
    return Statement(balances[-1], min(balances))


def build(settings: BackofficeSettings, service: Service) -> web.Application:
    """The application."""
    statement = slow_statement if settings.statements == "slow" else fixed_statement

    async def post_statement(request: web.Request) -> web.Response:
        return answer(statement((await read_json(request, Bookings)).amounts_cents))

    app = web.Application()
    app.add_routes([web.post("/statements", post_statement)])
    return app


if __name__ == "__main__":
    serve("backoffice", BackofficeSettings, build)
