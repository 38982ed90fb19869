"""
Redis' statistics, of `INFO`: exact at the moment of asking.

    redis_commandstats_calls{command}    commands carried out, by name; those of scripts and transactions included
    redis_keyspace_hits, _misses         look-ups of keys that were there, or not
    redis_expired_keys, _evicted_keys    keys removed because their time was over, or memory was short
    redis_keys                           keys that it holds, in all of its databases
    redis_aof_bytes                      the append-only file; 0 where it keeps none

INFO and what a client says about itself (AUTH, HELLO, CLIENT, SELECT) are left out: the lab's own are among them.
Source: the Redis documentation, INFO.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from lab.runtime.statistics import Ask, Count, NoStatistics

TIMEOUT_S = 5.0
TOLD = ("keyspace_hits", "keyspace_misses", "expired_keys", "evicted_keys")
OWN = {"info", "auth", "hello", "client", "select"}


@asynccontextmanager
async def counting(url: str) -> AsyncIterator[Ask]:
    """One connection for as long as it is asked. Raises NoStatistics."""
    client: Redis = Redis.from_url(
        url,
        single_connection_client=True,
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )

    async def ask() -> list[Count]:
        try:
            return list(counts_in(await client.info("all")))
        except (RedisError, OSError) as error:
            raise NoStatistics(f"{error!r}") from error

    try:
        await ask()
        yield ask
    finally:
        await client.aclose()


def counts_in(info: Mapping[str, Any]) -> Iterator[Count]:
    """What is kept of an answer to INFO, as redis-py reads it."""
    for name, told in info.items():
        command = name.removeprefix("cmdstat_")
        if command != name and command.partition("|")[0] not in OWN:
            yield Count("redis_commandstats_calls", float(told["calls"]), {"command": command})
    for name in TOLD:
        yield Count(f"redis_{name}", float(info[name]))
    of_databases = (told["keys"] for name, told in info.items() if re.fullmatch(r"db\d+", name))
    yield Count("redis_keys", float(sum(of_databases)))
    yield Count("redis_aof_bytes", float(info.get("aof_current_size", 0)))
