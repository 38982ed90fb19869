"""
PostgreSQL's statistics: how often each statement ran, by `pg_stat_statements`, exact at the moment of asking.

    pg_stat_statements_calls{command, query}   executions that ended
    pg_stat_statements_rows{command, query}    rows that they returned or touched

`command` is the statement's first word (`SELECT`). `query` is the statement with its constants left out, cut after
QUERY_CHARS; of what PostgreSQL does not normalise (`ALTER ROLE ... PASSWORD`) it is empty. Sessions of
the lab's own role are not counted: the extension is told so when the role is made, see lab.runtime.backing.postgres.

A server without the extension has `pg_stat_database_xact_commit` and `pg_stat_database_xact_rollback`, over all of its
databases but the one that the lab asks from. They trail: a session tells them at most once a second.
Source: PostgreSQL's documentation, "pg_stat_statements" and "The Cumulative Statistics System".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import asyncpg

from lab.runtime.statistics import Ask, Count, NoStatistics

TROUBLE = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
TIMEOUT_S = 5.0
QUERY_CHARS = 300
NORMALISED = {"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "VALUES"}
APART = "lab_statistics"  # the database that the lab asks from where each transaction counts
STATEMENTS = "SELECT query, sum(calls)::float8, sum(rows)::float8 FROM pg_stat_statements GROUP BY query"
DATABASES = f"""
SELECT sum(xact_commit)::float8, sum(xact_rollback)::float8 FROM pg_stat_database
WHERE datname IS DISTINCT FROM '{APART}'
"""


@asynccontextmanager
async def counting(url: str) -> AsyncIterator[Ask]:
    """One session for as long as it is asked. Raises NoStatistics."""
    try:
        connection = await asyncpg.connect(url, timeout=TIMEOUT_S)
        try:
            await connection.fetch(STATEMENTS)
            sql, read = STATEMENTS, _statements
        except asyncpg.PostgresError:  # not installed, or not loaded when the server started
            connection, sql, read = await _apart(connection, url), DATABASES, _databases
        started_s = await connection.fetchval("SELECT extract(epoch FROM pg_postmaster_start_time())::float8")
    except TROUBLE as error:
        raise NoStatistics(f"{error!r}") from error

    async def ask() -> list[Count]:
        try:
            rows = await connection.fetch(sql)
        except TROUBLE as error:
            raise NoStatistics(f"{error!r}") from error
        return [Count("process_start_time_seconds", started_s), *read(rows)]

    try:
        yield ask
    finally:
        connection.terminate()


async def _apart(connection: asyncpg.Connection[asyncpg.Record], url: str) -> asyncpg.Connection[asyncpg.Record]:
    """A session in a database of the lab's own, which is made for it."""
    if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", APART):
        await connection.execute(f"CREATE DATABASE {APART}")
    await connection.close()
    return await asyncpg.connect(url, timeout=TIMEOUT_S, database=APART)


def _statements(rows: Iterable[asyncpg.Record]) -> list[Count]:
    calls, touched = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for query, called, count in rows:
        of = labels_of(query)
        calls[of] += called
        touched[of] += count
    return [
        Count(f"pg_stat_statements_{name}", value, {"command": command, "query": query})
        for name, counted in (("calls", calls), ("rows", touched))
        for (command, query), value in counted.items()
    ]


def labels_of(query: str) -> tuple[str, str]:
    """Command and query as they are kept: of a statement that may hold a password, the command alone."""
    words = query.split()
    command = words[0].upper().rstrip(";") if words else ""
    return command, " ".join(words)[:QUERY_CHARS] if command in NORMALISED else ""


def _databases(rows: Iterable[asyncpg.Record]) -> list[Count]:
    return [
        Count(f"pg_stat_database_xact_{name}", value)
        for row in rows
        for name, value in zip(("commit", "rollback"), row, strict=True)
    ]
