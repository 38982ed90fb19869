"""Once per key: repeats share the work, a failure frees the key, and no caller's end is the end of the work."""

from __future__ import annotations

import asyncio
import gc

import pytest

from targets.kit import Problem
from targets.kit.idempotency import Once


class Work:
    """Ends when told to, and counts how often it was begun."""

    def __init__(self) -> None:
        self.begun = 0
        self.end = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self) -> int:
        self.begun += 1
        await self.end.wait()
        if self.error is not None:
            raise self.error
        return self.begun


async def test_all_callers_of_a_key_share_one_work() -> None:
    """The first began it; later ones, then and afterwards, are replays."""
    once, work = Once[str, int](), Work()
    callers = [asyncio.create_task(once.result("k", "body", work)) for _ in range(3)]
    await asyncio.sleep(0)
    work.end.set()
    assert await asyncio.gather(*callers) == [(1, False), (1, True), (1, True)]
    assert await once.result("k", "body", work) == (1, True)
    assert await once.result("other", "body", work) == (2, False)


async def test_another_body_under_the_key_is_refused() -> None:
    """And the first one's work goes on."""
    once, work = Once[str, int](), Work()
    first = asyncio.create_task(once.result("k", "body", work))
    await asyncio.sleep(0)
    with pytest.raises(Problem, match="422 idempotency-key-reused"):
        await once.result("k", "another", work)
    work.end.set()
    assert await first == (1, False)


async def test_a_failure_is_shared_and_forgotten() -> None:
    """Each caller gets the error; the next one begins anew."""
    once, work = Once[str, int](), Work()
    work.error = OSError("gone")
    work.end.set()
    both = await asyncio.gather(*(once.result("k", "body", work) for _ in range(2)), return_exceptions=True)
    assert [str(one) for one in both] == ["gone", "gone"]
    assert work.begun == 1
    work.error = None
    assert await once.result("k", "body", work) == (2, False)


async def test_a_caller_that_leaves_ends_nothing() -> None:
    """The work goes on, and its failure is no complaint of asyncio's that nobody asked for it."""
    once, work = Once[str, int](), Work()
    complaints: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    caller = asyncio.create_task(once.result("k", "body", work))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    work.end.set()
    assert await once.result("k", "body", work) == (1, True)
    failing = Work()
    failing.error = OSError("gone")
    caller = asyncio.create_task(once.result("f", "body", failing))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    caller.cancel()
    failing.end.set()
    await asyncio.sleep(0.01)
    assert not once.begun.get("f")
    del caller
    gc.collect()
    assert complaints == []
