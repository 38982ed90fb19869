"""
MariaDB's statistics, of `SHOW GLOBAL STATUS`: exact at the moment of asking.

    mariadb_commands{command}    statements begun, by command (`select`, `update`, `commit`), whether or not they failed
    mariadb_row_lock_waits       times that InnoDB had a statement wait for a row

What the lab's own session has counted is taken off. Source: the MariaDB documentation, "Server Status Variables".
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import unquote, urlsplit

import aiomysql

from lab.runtime.statistics import Ask, Count, NoStatistics

TROUBLE = (OSError, aiomysql.MySQLError)
TIMEOUT_S = 5.0
COMMANDS = """
SELECT lower(substr(g.variable_name, 5)), cast(g.variable_value AS signed) - cast(s.variable_value AS signed)
FROM information_schema.global_status g JOIN information_schema.session_status s USING (variable_name)
WHERE g.variable_name LIKE 'COM\\_%' AND g.variable_value <> '0'
UNION ALL SELECT '', variable_value FROM information_schema.global_status
WHERE variable_name = 'INNODB_ROW_LOCK_WAITS'
"""


@asynccontextmanager
async def counting(url: str) -> AsyncIterator[Ask]:
    """One session for as long as it is asked. Raises NoStatistics."""
    parts = urlsplit(url)
    try:
        connection = await aiomysql.connect(
            host=parts.hostname,
            port=parts.port,
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            connect_timeout=TIMEOUT_S,
            autocommit=True,
        )
    except TROUBLE as error:
        raise NoStatistics(f"{error!r}") from error

    async def ask() -> list[Count]:
        try:
            async with connection.cursor() as cursor:
                await cursor.execute(COMMANDS)
                rows = await cursor.fetchall()
        except TROUBLE as error:
            raise NoStatistics(f"{error!r}") from error
        return [_count(command, float(value)) for command, value in rows]

    try:
        yield ask
    finally:
        connection.close()


def _count(command: str, value: float) -> Count:
    return Count("mariadb_commands", value, {"command": command}) if command else Count("mariadb_row_lock_waits", value)
