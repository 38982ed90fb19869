"""Sessions of PostgreSQL and of MariaDB behind one protocol, and their views of who waits for a lock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Set
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

import aiomysql
import asyncpg

MOST_SESSIONS = 150
FOUND_ROWS = 2  # MariaDB counts the rows that an update found, also where it left one as it was
# Errors by which a server refuses a transaction because of another one; from its start again, it may succeed.
# 40001 serialization_failure, 40P01 deadlock_detected; 1213 deadlock, 1205 lock wait timeout, 1020 changed since read.
# At 1205 MariaDB rolls back the statement alone (innodb_rollback_on_timeout=OFF): the caller has to roll back the rest.
POSTGRES_CONFLICTS = {"40001", "40P01"}
MARIADB_CONFLICTS = {1213, 1205, 1020}


class Conflict(Exception):
    """The transaction is over for another one's sake: by the server, or since its row has another version."""


@dataclass(frozen=True)
class Said:
    """A statement's answer: the rows that it read, else how many it touched."""

    rows: list[tuple[Any, ...]] | None
    touched: int = 0


class Session(Protocol):
    """One connection. `id` is what the server's lock view calls it."""

    id: int

    async def run(self, sql: str) -> Said:
        """Run a statement. Raises Conflict where the transaction is over for another one's sake."""
        ...

    async def begin(self, level: str) -> None:
        """Begin a transaction at this level (`read committed`)."""
        ...


class Database(Protocol):
    """A server."""

    name: str

    def session(self) -> AbstractAsyncContextManager[Session]:
        """A session of its own, with no transaction begun; one that is left open is rolled back."""
        ...

    async def waiting(self) -> Set[int]:
        """Sessions that wait for a lock, as the server shows it after this was asked."""
        ...


class LockView:
    """Looks at who waits on behalf of all who ask meanwhile, `rest_s` or more after the last look."""

    def __init__(self, look: Callable[[], Awaitable[Set[int]]], rest_s: float) -> None:
        self._look = look
        self._rest_s = rest_s
        self._alone = asyncio.Lock()
        self._began_s = self._ended_s = float("-inf")
        self._seen: Set[int] = frozenset()

    async def waiting(self) -> Set[int]:
        """Who waits, in a look that began after this was asked."""
        clock = asyncio.get_running_loop().time
        asked_s = clock()
        async with self._alone:
            if self._began_s < asked_s:
                await asyncio.sleep(max(0.0, self._ended_s + self._rest_s - clock()))
                self._began_s = clock()
                self._seen = await self._look()
                self._ended_s = clock()
            return self._seen


class PostgresSession:
    """A session of PostgreSQL."""

    def __init__(self, connection: Any) -> None:
        self.id: int = connection.get_server_pid()
        self._connection = connection

    async def run(self, sql: str) -> Said:
        """Run a statement."""
        try:
            if sql.startswith("select"):
                return Said([tuple(row) for row in await self._connection.fetch(sql)])
            status = await self._connection.execute(sql)
        except asyncpg.PostgresError as error:
            if error.sqlstate in POSTGRES_CONFLICTS:
                raise Conflict(f"{error.sqlstate}: {error.args[0]}") from error
            raise
        count = status.rpartition(" ")[2]
        return Said(None, int(count) if count.isdigit() else 0)

    async def begin(self, level: str) -> None:
        """Begin a transaction."""
        await self._connection.execute(f"begin isolation level {level}")


class Postgres:
    """A PostgreSQL server."""

    name = "postgres"
    # pg_blocking_pids() alone would do, but holds up the lock manager for each session that it is asked about.
    WAITING = (
        "select pid from pg_stat_activity where wait_event_type = 'Lock' and cardinality(pg_blocking_pids(pid)) > 0"
    )

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._view = LockView(self._look, rest_s=0.005)

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> AsyncIterator[Postgres]:
        """Connect, and disconnect all sessions at the end."""
        # Statements are not kept prepared: each script has a table of its own, which soon is gone.
        async with asyncpg.create_pool(url, min_size=1, max_size=MOST_SESSIONS, statement_cache_size=0) as pool:
            yield cls(pool)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """A session; the pool resets what is left of it."""
        async with self._pool.acquire() as connection:
            yield PostgresSession(connection)

    async def waiting(self) -> Set[int]:
        """Sessions that wait for a lock."""
        return await self._view.waiting()

    async def _look(self) -> Set[int]:
        async with self._pool.acquire() as connection:
            return {pid for (pid,) in await connection.fetch(self.WAITING)}


class MariadbSession:
    """A session of MariaDB."""

    def __init__(self, connection: Any) -> None:
        self.id: int = connection.thread_id()
        self._connection = connection

    async def run(self, sql: str) -> Said:
        """Run a statement."""
        try:
            async with self._connection.cursor() as cursor:
                touched = await cursor.execute(sql)
                return Said(list(await cursor.fetchall())) if cursor.description else Said(None, touched)
        except aiomysql.MySQLError as error:
            if error.args[0] in MARIADB_CONFLICTS:
                raise Conflict("{}: {}".format(*error.args)) from error
            raise

    async def begin(self, level: str) -> None:
        """Begin a transaction."""
        await self.run(f"set transaction isolation level {level}")
        await self.run("begin")


class Mariadb:
    """A MariaDB server."""

    name = "mariadb"
    WAITING = "select trx_mysql_thread_id from information_schema.innodb_trx where trx_state = 'LOCK WAIT'"

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        # InnoDB shows a picture that it takes anew 100 ms after somebody last looked, and not while somebody does: who
        # looks more often sees the same one for ever.
        self._view = LockView(self._look, rest_s=0.11)

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> AsyncIterator[Mariadb]:
        """Connect, and disconnect all sessions at the end."""
        parts = urlsplit(url)
        where = {"host": parts.hostname, "port": parts.port, "user": parts.username, "password": parts.password or ""}
        async with aiomysql.create_pool(
            **where,
            db=parts.path.strip("/"),
            minsize=1,
            maxsize=MOST_SESSIONS,
            autocommit=True,
            client_flag=FOUND_ROWS,
        ) as pool:
            yield cls(pool)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """A session; what is left of a transaction is rolled back, unless the connection itself is gone."""
        async with self._pool.acquire() as connection:
            try:
                yield MariadbSession(connection)
            except BaseException:
                connection.close()  # whatever it was in the middle of, nobody else is to go on with it
                raise
            if connection.get_transaction_status():
                await connection.rollback()

    async def waiting(self) -> Set[int]:
        """Sessions that wait for a lock."""
        return await self._view.waiting()

    async def _look(self) -> Set[int]:
        async with self._pool.acquire() as connection, connection.cursor() as cursor:
            await cursor.execute(self.WAITING)
            return {thread for (thread,) in await cursor.fetchall()}
