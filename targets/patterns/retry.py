"""
Retry: try again what failed for a moment, without becoming the reason that it fails for longer.

    attempt --(failed, retries left, budget has a token)--> wait: back-off, full jitter --> attempt ...

Each hop that retries multiplies the load of those behind it: 4 attempts at each of two hops are 16 at the third.
Waiting only spreads that; a budget bounds it, as it lets retries be no more than a share of the requests.

Sources: M. Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015) for full jitter; Twitter Finagle's
RetryBudget for the bucket; Google, Site Reliability Engineering (2016), chapter 21 for per-client budgets such as this
one, chapter 22 for a server-wide one; handbook 7.6.1. Made for one event loop; not for threads.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Backoff:
    """How long to wait before the retry number n (from 1): anything up to `base_s` x 2^(n-1), and `cap_s`, at most.

    Full jitter: the wait is drawn evenly from 0 to that, so that callers who failed together do not come back
    together. With `base_s` 0 there is no wait. ValueError where a number cannot be.
    """

    base_s: float = 0.1
    cap_s: float = 2.0

    def __post_init__(self) -> None:
        if self.base_s < 0 or self.cap_s < self.base_s:
            raise ValueError(f"base_s is {self.base_s}, cap_s {self.cap_s}; it takes 0 <= base_s <= cap_s")

    def wait_s(self, retry: int, uniform: Callable[[float, float], float]) -> float:
        """One draw."""
        return uniform(0.0, min(self.cap_s, self.base_s * 2.0 ** (retry - 1)))


class Budget:
    """A token bucket: each request puts in `ratio` of a token, a retry takes a whole one; it holds `reserve` at most.

    So over time retries are `ratio` of the requests at most, and after a quiet stretch `reserve` more. It begins full.
    """

    def __init__(self, ratio: float, reserve: float = 3.0) -> None:
        if not ratio > 0 or reserve < 1:
            raise ValueError(f"ratio is {ratio}, reserve {reserve}; it takes a ratio over 0 and a reserve of 1 or more")
        self.ratio = ratio
        self.reserve = reserve
        self._tokens = reserve

    @property
    def tokens(self) -> float:
        """What is left: one retry for each whole token."""
        return self._tokens

    def request(self) -> None:
        """A request, not a retry, begins."""
        self._tokens = min(self.reserve, self._tokens + self.ratio)

    def spend(self) -> bool:
        """Take the token of one retry; false, and nothing taken, where there is none."""
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Listener(Protocol):
    """Who wants to know what is retried, metrics for one; called in the middle of a call, so it must not raise."""

    def retried(self) -> None:
        """An attempt after the first begins."""
        ...

    def denied(self) -> None:
        """A retry was left out, since the budget had no token for it."""
        ...


class Nobody:
    """Listens to nothing."""

    def retried(self) -> None:
        """Ignored."""

    def denied(self) -> None:
        """Ignored."""


class Retry:
    """
    Makes up to `retries` more attempts after a failed one.

    await Retry(3, Backoff(0.1), Budget(0.1)).call(attempt, worth=lambda error: isinstance(error, NoAnswer))
    """

    def __init__(
        self,
        retries: int,
        backoff: Backoff,
        budget: Budget | None = None,
        *,
        listener: Listener | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._retries = retries
        self._backoff = backoff
        self._budget = budget
        self._listener: Listener = listener or Nobody()
        self._sleep = sleep
        self._uniform = uniform

    async def call(self, attempt: Callable[[], Awaitable[T]], worth: Callable[[Exception], bool]) -> T:
        """What the first successful attempt gives, or the last one's error.

        `worth` says of an error whether another attempt may help and can do no harm: what may be repeated is for the
        caller to know (RFC 9110, 9.2.2).
        """
        if self._budget is not None:
            self._budget.request()
        for retry in range(1, self._retries + 1):
            try:
                return await attempt()
            except Exception as error:
                if not worth(error):
                    raise
                if self._budget is not None and not self._budget.spend():
                    self._listener.denied()
                    raise
            wait_s = self._backoff.wait_s(retry, self._uniform)
            if wait_s > 0:
                await self._sleep(wait_s)
            self._listener.retried()
        return await attempt()
