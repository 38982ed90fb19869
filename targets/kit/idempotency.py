"""
Idempotency keys: a request that is repeated takes effect once, and each caller gets the answer of the first.

    POST with Idempotency-Key -> key_of -> Once.result: the first runs the work, repeats wait for it

The caller makes the key up: one for all attempts at the same thing. Source: the IETF draft "The
Idempotency-Key HTTP Header Field" (draft-ietf-httpapi-idempotency-key-header). Keys are kept in memory here and for
ever; in production they are kept with the effect, in its transaction, for as long as callers retry.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from aiohttp import web

from targets.kit.problems import Problem

HEADER = "Idempotency-Key"
LONGEST_KEY = 255

Asked = TypeVar("Asked")
Result = TypeVar("Result")


def key_of(request: web.Request) -> str:
    """The request's key. Raises Problem 400 where it has none, or one that is too long."""
    key = request.headers.get(HEADER, "")
    if not 0 < len(key) <= LONGEST_KEY:
        detail = f"Send an {HEADER} of 1 to {LONGEST_KEY} characters, the same with every retry."
        raise Problem(400, "idempotency-key-missing", detail)
    return key


@dataclass
class Once(Generic[Asked, Result]):
    """What was first asked under each key, and the work on it."""

    begun: dict[str, tuple[Asked, asyncio.Task[Result]]] = field(default_factory=dict)

    async def result(
        self, key: str, asked: Asked, work: Callable[[], Coroutine[Any, Any, Result]]
    ) -> tuple[Result, bool]:
        """What the work gave, and whether an earlier request had begun it.

        A caller that leaves does not end the work, since others may wait for it. Work that fails raises its error for
        each of them, and the next request under the key begins anew. Raises Problem 422 where the key was first used
        for something else.
        """
        replay = key in self.begun
        if not replay:
            task = asyncio.create_task(work())
            self.begun[key] = asked, task
            task.add_done_callback(lambda done: self._over(key, done))
        first, task = self.begun[key]
        if first != asked:
            raise Problem(422, "idempotency-key-reused", "This key was first used with another body; take a new one.")
        return await asyncio.shield(task), replay

    def _over(self, key: str, task: asyncio.Task[Result]) -> None:
        if task.cancelled() or task.exception() is not None:  # asked for here too, as each caller may have left
            del self.begun[key]
