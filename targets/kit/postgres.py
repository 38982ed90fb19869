"""PostgreSQL for targets: a pool of connections that are open before the first request, and one trip a statement."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import asyncpg

from targets.kit.settings import without_login

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Session: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"  # a connection while it is lent
# What goes wrong between us and the server: its errors, the client's, and those of the way there (a TimeoutError is an
# OSError).
TROUBLE = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
SCHEMA_LOCK = 20_815


class NoDatabase(Exception):
    """The server did not let us in, or refused the schema."""


class NoConnection(Exception):
    """There was no connection, and none could be opened: the server was asked for nothing."""


async def as_it_comes(connection: Connection) -> None:
    """Leave a connection as it is."""


class Database:
    """
    A pool of `size` connections, all open from `async with` on, where what `schema` makes is in place.

    `warm` runs on each new connection: a statement that it has executed is prepared from then on. Connections are not
    reset when they come back. Else a first use, and the end of each use, would be one more trip, and a slow link would
    seem twice as slow as it is. So leave nothing behind in a session (SET, LISTEN, temporary tables).
    """

    def __init__(
        self, url: str, size: int, schema: str, warm: Callable[[Connection], Coroutine[Any, Any, None]] = as_it_comes
    ) -> None:
        self._url = url
        self._schema = schema
        self._pool: asyncpg.Pool[asyncpg.Record] = asyncpg.create_pool(
            url, min_size=size, max_size=size, init=warm, reset=as_it_comes
        )

    async def __aenter__(self) -> Database:
        """Make the schema, open the connections. Raises NoDatabase."""
        try:
            connection = await asyncpg.connect(self._url)
            async with connection.transaction():
                # Two instances that start at once would both find no table, and one would fail to make it.
                await connection.execute("SELECT pg_advisory_xact_lock($1)", SCHEMA_LOCK)
                await connection.execute(self._schema)
            await connection.close()
            await self._pool
        except TROUBLE as trouble:
            raise NoDatabase(f"PostgreSQL at {without_login(self._url)}: {trouble!r}") from trouble
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections, once what they do is done."""
        await self._pool.close()

    async def value(self, statement: str, *args: object, within_s: float) -> object:
        """The first column of a statement's first row, None where it has none; one attempt.

        Raises TimeoutError after `within_s`, the wait for a connection included, and one of TROUBLE otherwise.
        """
        async with asyncio.timeout(within_s), self._pool.acquire() as connection:
            try:
                return await connection.fetchval(statement, *args)
            except asyncio.CancelledError:
                # Else the pool would first ask the server, over another connection, to stop what it does: a server
                # that is silent would keep us waiting for a minute.
                connection.terminate()
                raise

    @asynccontextmanager
    async def session(self, within_s: float) -> AsyncIterator[Session]:
        """A connection for several statements, for `within_s` in all, the wait for it included.

        Raises NoConnection where there is none, and whatever the block raises: TimeoutError, or another of TROUBLE.
        """
        async with asyncio.timeout(within_s):
            try:
                connection = await self._pool.acquire()
            except TROUBLE as trouble:
                raise NoConnection(f"{without_login(self._url)}: {trouble!r}") from trouble
            try:
                yield connection
            except asyncio.CancelledError:
                connection.terminate()  # as above
                raise
            finally:
                await self._pool.release(connection)
