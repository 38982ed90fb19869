"""Group commit: one write at a time, of all that came while the one before was under way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from targets.patterns.batching import Batches


class Disk:
    """A write that ends when it is told to."""

    def __init__(self) -> None:
        self.begun: list[list[str]] = []
        self.ends: list[asyncio.Future[None]] = []

    async def write(self, items: Sequence[str]) -> None:
        """Begin, and wait."""
        self.begun.append(list(items))
        self.ends.append(asyncio.get_running_loop().create_future())
        await self.ends[-1]


async def turns() -> None:
    """Let everything go on that can."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_comes_during_a_write_shares_the_next() -> None:
    """The first goes alone and at once; the others are acknowledged with their own batch, and not before."""
    disk = Disk()
    batches = Batches(disk.write)
    first = asyncio.create_task(batches.add("a"))
    await turns()
    others = [asyncio.create_task(batches.add(name)) for name in "bcd"]
    await turns()
    assert disk.begun == [["a"]]
    assert batches.waiting == 3
    disk.ends[0].set_result(None)
    await turns()
    assert disk.begun == [["a"], ["b", "c", "d"]]
    assert first.done()
    assert not any(other.done() for other in others)
    disk.ends[1].set_result(None)
    await asyncio.gather(*others)
    assert batches.waiting == 0


async def test_a_batch_has_a_most() -> None:
    """What does not fit goes into the next one."""
    disk = Disk()
    batches = Batches(disk.write, most=2)
    tasks = [asyncio.create_task(batches.add(name)) for name in "abc"]
    for number in range(2):
        await turns()
        disk.ends[number].set_result(None)
    await asyncio.gather(*tasks)
    assert disk.begun == [["a", "b"], ["c"]]


async def test_an_error_is_told_to_each_of_its_batch_alone() -> None:
    """The next batch is written all the same."""
    disk = Disk()
    batches = Batches(disk.write)
    first = asyncio.create_task(batches.add("a"))
    await turns()
    second = asyncio.create_task(batches.add("b"))
    await turns()
    disk.ends[0].set_exception(OSError("no"))
    await turns()
    disk.ends[1].set_result(None)
    with pytest.raises(OSError, match="no"):
        await first
    await second


async def test_a_caller_that_gives_up_stops_no_one() -> None:
    """Its item is written with the others of its batch, and the writer goes on."""
    disk = Disk()
    batches = Batches(disk.write)
    first = asyncio.create_task(batches.add("a"))
    await turns()
    gone, stays = (asyncio.create_task(batches.add(name)) for name in "bc")
    await turns()
    gone.cancel()
    disk.ends[0].set_result(None)
    await turns()
    assert disk.begun[1] == ["b", "c"]
    disk.ends[1].set_result(None)
    await asyncio.gather(first, stays)
    again = asyncio.create_task(batches.add("d"))
    await turns()
    disk.ends[2].set_result(None)
    await again
