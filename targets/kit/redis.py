"""Redis for targets: each command is one attempt, bounded in time; and a lock that all processes see."""

from __future__ import annotations

import os

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

TROUBLE = (RedisError, OSError)
# Ours is deleted, another's is not: Redis runs a script as one step.
GIVE_BACK = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"


def open_redis(url: str, timeout_s: float) -> Redis:
    """
    A client whose connections are opened when needed and kept. `async with` closes it.

    `timeout_s` bounds each command. None is sent twice behind your back, as redis-py would.
    """
    once = Retry(NoBackoff(), 0)
    client: Redis = Redis.from_url(url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, retry=once)
    return client


class Lock:
    """
    One key that is there while somebody has it, for `lasts_s` at most: then it comes free, whatever its holder does.

    So it saves work and guards nothing. Source: the Redis documentation's pattern for one server, "SET NX PX" with a
    token that nobody else can know.
    """

    def __init__(self, redis: Redis, key: str, lasts_s: float) -> None:
        self._redis = redis
        self._key = key
        self._lasts_ms = max(1, round(lasts_s * 1000))
        self._token = os.urandom(16)

    async def take(self) -> bool:
        """Take it; false where somebody has it."""
        return bool(await self._redis.set(self._key, self._token, nx=True, px=self._lasts_ms))

    async def give_back(self) -> None:
        """Free it, if it is still ours."""
        await self._redis.eval(GIVE_BACK, 1, self._key, self._token)
