"""
Work under load, where the anomalies cost something: money that is lost, totals that are wrong, nobody on call.

Each transaction reads, thinks for a while as an application does, and writes. One that the server refuses for another
one's sake is begun again, since that is what a level asks of its callers in return.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from targets.isolation.databases import Conflict, Database, Session
from targets.patterns.retry import Retry

T = TypeVar("T")

SHIFTS = 5_000
ACCOUNTS = 6
OPENING_CENTS = 100_000
TABLES: Mapping[str, tuple[str, list[tuple[int, ...]]]] = {  # columns and rows
    "account": ("id int primary key, cents int not null", [(account, 0) for account in range(1, ACCOUNTS + 1)]),
    "pair": ("id int primary key, cents int not null", [(1, OPENING_CENTS), (2, OPENING_CENTS)]),
    "rota": (
        "shift int, doctor int, on_call int not null, primary key (shift, doctor)",
        [(shift, doctor, 1) for shift in range(SHIFTS) for doctor in (1, 2)],
    ),
}


@dataclass(frozen=True)
class Work:
    """Transactions at one level. `think_s` passes between what is read and what is made of it."""

    database: Database
    level: str
    think_s: float
    retry: Retry
    deposits: str = "read-then-write"  # or `atomic`, `for-update`, `version`: see IsolationSettings
    leaves: str = "read-then-write"  # or `for-update`

    async def prepare(self) -> None:
        """Make the tables where they are not there yet: a target that was killed finds them as it left them."""
        async with self.database.session() as session:
            there = await session.run("select table_name from information_schema.tables")
            for table, (columns, rows) in TABLES.items():
                if (table,) not in (there.rows or []):
                    await session.run(f"create table {table} ({columns})")
                if not await _number(session, f"select count(*) from {table}"):
                    await session.run(f"insert into {table} values {', '.join(str(row) for row in rows)}")

    async def deposit(self, account: int, cents: int) -> tuple[int, int]:
        """P4: read the balance, add to it here, write it back. Gives the balance as read and as written."""
        lock = " for update" if self.deposits == "for-update" else ""
        where = f"where id = {account}"

        async def work(session: Session) -> tuple[int, int]:
            if self.deposits == "atomic":  # nothing is read beforehand: the statement takes its lock and adds
                await self._think()
                await session.run(f"update account set cents = cents + {cents} {where}")
                after = await _number(session, f"select cents from account {where}")  # its own write, and its own lock
                return after - cents, after
            before = await _number(session, f"select cents from account {where}{lock}")
            await self._think()
            unchanged = f" and cents = {before}" if self.deposits == "version" else ""
            said = await session.run(f"update account set cents = {before + cents} {where}{unchanged}")
            if not said.touched:
                raise Conflict(f"account {account} has changed since {before} was read")
            return before, before + cents

        return await self.transact(work)

    async def transfer(self, cents: int) -> None:
        """Move money within the pair; the database does the adding, so this alone is safe at every level."""

        async def work(session: Session) -> None:
            await session.run(f"update pair set cents = cents - {cents} where id = 1")
            await session.run(f"update pair set cents = cents + {cents} where id = 2")

        await self.transact(work)

    async def audit(self) -> int:
        """G-single: add up the pair, one account after the other."""

        async def work(session: Session) -> int:
            first = await _number(session, "select cents from pair where id = 1")
            await self._think()
            return first + await _number(session, "select cents from pair where id = 2")

        return await self.transact(work)

    async def leave(self, shift: int, doctor: int) -> bool:
        """G2-item: a doctor may leave a shift if another one stays on call. Gives whether this one may."""

        async def work(session: Session) -> bool:
            if self.leaves == "for-update":  # in the order of the index, so that no two wait for each other
                await session.run(f"select doctor from rota where shift = {shift} order by doctor for update")
            on_call = await _number(session, f"select sum(on_call) from rota where shift = {shift}")
            await self._think()
            if on_call < 2:
                return False
            await session.run(f"update rota set on_call = 0 where shift = {shift} and doctor = {doctor}")
            return True

        return await self.transact(work)

    async def books(self) -> dict[str, dict[str, int] | list[str]]:
        """What there is in the end: cents by account, how many are on call by shift, and the shifts without any."""
        async with self.database.session() as session:
            accounts = await session.run("select id, cents from account")
            rota = await session.run("select shift, sum(on_call) from rota group by shift having sum(on_call) < 2")
        return {
            "accounts": {f"account {key}": int(cents) for key, cents in accounts.rows or []},
            "on_call": {f"shift {shift}": int(count) for shift, count in rota.rows or []},
            "empty": [f"shift {shift}" for shift, count in rota.rows or [] if not count],
        }

    async def transact(self, work: Callable[[Session], Awaitable[T]]) -> T:
        """Do it in a transaction, again where the server asks for it. Raises the last Conflict."""

        async def attempt() -> T:
            async with self.database.session() as session:
                try:
                    await session.begin(self.level)
                    done = await work(session)
                    await session.run("commit")
                except Conflict:
                    await session.run("rollback")
                    raise
                return done

        return await self.retry.call(attempt, lambda error: isinstance(error, Conflict))

    async def _think(self) -> None:
        await asyncio.sleep(self.think_s)


async def _number(session: Session, sql: str) -> int:
    """The one number that a query gives."""
    said = await session.run(sql)
    assert said.rows
    return int(said.rows[0][0])
