"""
Bank: moves money between accounts in PostgreSQL, and takes deposits.

    client -> bank -> (link) -> postgres
              ^^^^ here; barrier `between-debit-and-credit`

POST /transfers    {"id": "transfer-1", "payer": 1, "payee": 2, "cents": 500}: 201 once both halves are committed
POST /deposits     {"id": "deposit-1", "cents": 500}: 201 once its row is committed
GET /books         cents by account, half-done transfers, cents by deposit; for checkers

409: the id was used before. 502, 504: the server gave no answer; the outcome is indeterminate. 503: nothing was done;
there was no connection, or the server aborted every attempt in favour of another transaction.

A half of a transfer is one statement: it books an entry and changes the balance. TRANSFER=statements commits each half
by itself (autocommit), TRANSFER=transaction both at once. LOCK_ORDER=asked takes the payer's account first, whose row
stays locked until the commit; LOCK_ORDER=sorted takes the lower number first, whichever of the two pays.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Literal

import asyncpg
from aiohttp import web
from msgspec import Meta, Struct

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
from targets.kit.barriers import Barrier
from targets.kit.retrying import RetryMetrics
from targets.patterns.retry import Backoff, Retry

ACCOUNTS, OPENING_CENTS = 100, 100_000
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS account (id int PRIMARY KEY, cents bigint NOT NULL);
INSERT INTO account SELECT id, {OPENING_CENTS} FROM generate_series(1, {ACCOUNTS}) id ON CONFLICT DO NOTHING;
CREATE TABLE IF NOT EXISTS entry (transfer text, account int, cents bigint NOT NULL, PRIMARY KEY (transfer, account));
CREATE TABLE IF NOT EXISTS deposit (id text PRIMARY KEY, cents bigint NOT NULL);
"""
HALF = """
WITH booked AS (INSERT INTO entry VALUES ($1::text, $2::int, $3::bigint))
UPDATE account SET cents = cents + $3::bigint WHERE id = $2::int
"""
DEPOSIT = "INSERT INTO deposit VALUES ($1, $2)"
HALVES = "SELECT transfer FROM entry GROUP BY transfer HAVING count(*) <> 2 OR sum(cents) <> 0"
BACKOFF = Backoff(base_s=0.02, cap_s=0.32)
ABORTED = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)  # 40P01, 40001: again from the start

Cents = Annotated[int, Meta(ge=1, le=10**6)]
Account = Annotated[int, Meta(ge=1, le=ACCOUNTS)]


@dataclass(frozen=True, kw_only=True)
class BankSettings(Settings):
    """How a transfer is made, in which order it locks, and ATTEMPTS at one that the server aborts."""

    postgres_url: PostgresUrl
    postgres_timeout_s: Seconds = 8.0
    postgres_pool: Count = 20
    transfer: Literal["statements", "transaction"] = "transaction"
    lock_order: Literal["asked", "sorted"] = "asked"
    attempts: Annotated[int, Between(1, 100)] = 10


class Transfer(Struct, frozen=True, forbid_unknown_fields=True):
    """Money from one account to another."""

    id: str
    payer: Account
    payee: Account
    cents: Cents


class Deposit(Struct, frozen=True, forbid_unknown_fields=True):
    """Money that is paid in: a row of its own, whatever the accounts hold."""

    id: str
    cents: Cents


@dataclass(frozen=True)
class Bank:
    """Answers the routes."""

    settings: BankSettings
    database: postgres.Database
    between: Barrier
    retry: Retry

    async def post_transfer(self, request: web.Request) -> web.Response:
        """Move money, again from the start where the server asks for it."""
        asked = await read_json(request, Transfer)
        if asked.payer == asked.payee:
            raise Problem(422, "same-account", "Payer and payee are one account; name two.")
        try:
            await self.retry.call(lambda: self.transfer(asked), lambda error: isinstance(error, ABORTED))
        except ABORTED as error:
            raise Problem(503, "too-many-aborts", f"The server aborted every attempt ({error}); ask again.") from error
        return answer({"id": asked.id}, 201)

    async def transfer(self, asked: Transfer) -> None:
        """One attempt."""
        halves = [(asked.payer, -asked.cents), (asked.payee, asked.cents)]
        if self.settings.lock_order == "sorted":
            halves.sort()
        async with self.session() as session:
            if self.settings.transfer == "statements":
                await self.move(session, asked.id, halves)
            else:
                async with session.transaction():
                    await self.move(session, asked.id, halves)

    async def move(self, session: postgres.Session, name: str, halves: list[tuple[int, int]]) -> None:
        """One half, then the other."""
        (first, first_cents), (second, second_cents) = halves
        await session.execute(HALF, name, first, first_cents)
        await self.between.passed(name)
        await session.execute(HALF, name, second, second_cents)

    async def post_deposit(self, request: web.Request) -> web.Response:
        """Write one row."""
        asked = await read_json(request, Deposit)
        async with self.session() as session:
            await session.execute(DEPOSIT, asked.id, asked.cents)
        return answer({"id": asked.id}, 201)

    async def get_books(self, request: web.Request) -> web.Response:
        """What there is in the end, for checkers."""
        async with self.session() as session:
            accounts = await session.fetch("SELECT id, cents FROM account ORDER BY id")
            halves = await session.fetch(HALVES)
            deposits = await session.fetch("SELECT id, cents FROM deposit")
        return answer(
            {
                "accounts": {f"account {each['id']}": each["cents"] for each in accounts},
                "halves": [each["transfer"] for each in halves],
                "deposits": {each["id"]: each["cents"] for each in deposits},
            }
        )

    @asynccontextmanager
    async def session(self) -> AsyncIterator[postgres.Session]:
        """A connection. Raises Problem: 503 where there is none, 502 or 504 where the work on it broke off."""
        try:
            async with self.database.session(self.settings.postgres_timeout_s) as session:
                yield session
        except postgres.NoConnection as none:
            raise Problem(503, "database-out-of-reach", f"Nothing was done: {none}") from none
        except TimeoutError as late:
            detail = f"The database gave no answer within {self.settings.postgres_timeout_s:g} s."
            raise Problem(504, "database-silent", detail) from late
        except ABORTED:
            raise
        except asyncpg.UniqueViolationError as known:
            raise Problem(409, "id-known", "This id was used before; nothing was done.") from known
        except postgres.TROUBLE as trouble:
            raise Problem(502, "database-broke-off", f"The database: {trouble!r}") from trouble


def build(settings: BankSettings, service: Service) -> web.Application:
    """The application."""
    database = postgres.Database(settings.postgres_url, settings.postgres_pool, SCHEMA)
    service.metrics.retries.labels("postgres")
    retry = Retry(settings.attempts - 1, BACKOFF, listener=RetryMetrics(service.metrics, "postgres"))
    bank = Bank(settings, database, service.barriers.point("between-debit-and-credit"), retry)

    async def connected(_: web.Application) -> AsyncIterator[None]:
        async with database:
            yield

    service.answers("POST /transfers", 201, 409, 502, 503, 504)
    service.answers("POST /deposits", 201, 409, 502, 503, 504)
    app = web.Application()
    app.cleanup_ctx.append(connected)
    app.add_routes(
        [
            web.post("/transfers", bank.post_transfer),
            web.post("/deposits", bank.post_deposit),
            web.get("/books", bank.get_books),
        ]
    )
    return app


if __name__ == "__main__":
    serve("bank", BankSettings, build)
