"""Single flight: one fetch for all who want the same at once, within a process and across processes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from random import Random
from typing import Any

import pytest

from targets.patterns.single_flight import SingleFlight, once_for_all


class Fetches:
    """Fetches that land when they are told to; counts them, and how many were in the air at once."""

    def __init__(self) -> None:
        self.begun = 0
        self.now = 0
        self.most = 0
        self.may_land = asyncio.Event()

    def work(self, error: Exception | None = None) -> Callable[[], Coroutine[Any, Any, int]]:
        """A fetch that gives its number, or fails."""

        async def fetch() -> int:
            self.begun += 1
            number = self.begun
            self.now += 1
            self.most = max(self.most, self.now)
            try:
                await self.may_land.wait()
            finally:
                self.now -= 1
            if error:
                raise error
            return number

        return fetch


async def settle() -> None:
    """Let everything that can go on go on."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_all_who_come_while_it_is_in_the_air_share_one_flight() -> None:
    """Twenty callers, one fetch, one answer; another key has a flight of its own."""
    flights, fetches = SingleFlight[int](), Fetches()
    callers = [asyncio.ensure_future(flights.do("a", fetches.work())) for _ in range(20)]
    other = asyncio.ensure_future(flights.do("b", fetches.work()))
    await settle()
    assert (fetches.begun, flights.in_the_air("a")) == (2, True)
    fetches.may_land.set()
    assert await asyncio.gather(*callers) == [1] * 20
    assert await other == 2
    assert not flights.in_the_air("a")


async def test_what_has_landed_is_not_served_again() -> None:
    """Who comes after the landing gets a fetch of his own: this is no cache."""
    flights, fetches = SingleFlight[int](), Fetches()
    fetches.may_land.set()
    assert [await flights.do("a", fetches.work()) for _ in range(3)] == [1, 2, 3]


async def test_a_failure_is_everybodys_and_is_over_with_the_flight() -> None:
    """All who waited get the error; the next caller tries again."""
    flights, fetches = SingleFlight[int](), Fetches()
    callers = [asyncio.ensure_future(flights.do("a", fetches.work(OSError("gone")))) for _ in range(3)]
    await settle()
    fetches.may_land.set()
    assert [type(end) for end in await asyncio.gather(*callers, return_exceptions=True)] == [OSError] * 3
    assert await flights.do("a", fetches.work()) == 2


async def test_a_caller_that_leaves_takes_the_flight_from_nobody() -> None:
    """The first caller is cancelled; the second still gets what the first one's flight brings."""
    flights, fetches = SingleFlight[int](), Fetches()
    first = asyncio.ensure_future(flights.do("a", fetches.work()))
    second = asyncio.ensure_future(flights.do("a", fetches.work()))
    await settle()
    first.cancel()
    await settle()
    fetches.may_land.set()
    assert await second == 1
    assert first.cancelled()


async def test_a_flight_that_nobody_waits_for_ends_quietly(caplog: pytest.LogCaptureFixture) -> None:
    """A background renewal that fails leaves no "exception was never retrieved" behind, and the key free."""
    flights, fetches = SingleFlight[int](), Fetches()
    fetches.may_land.set()
    flights.start("a", fetches.work(OSError("gone")))
    await settle()
    assert not flights.in_the_air("a")
    assert not caplog.records


async def test_closing_ends_what_is_in_the_air() -> None:
    """Nothing goes on after close, and who waited is told."""
    flights, fetches = SingleFlight[int](), Fetches()
    caller = asyncio.ensure_future(flights.do("a", fetches.work()))
    await settle()
    await flights.close()
    assert (fetches.now, flights.in_the_air("a")) == (0, False)
    with pytest.raises(asyncio.CancelledError):
        await caller


@pytest.mark.parametrize("seed", range(20))
async def test_never_two_at_once_and_nobody_gets_what_landed_before_he_came(seed: int) -> None:
    """Callers and landings in any order: one fetch in the air at most, and each answer landed after its caller came."""
    rng, flights = Random(seed), SingleFlight[int]()
    landed = 0
    fetches = Fetches()
    callers: list[tuple[int, asyncio.Task[int]]] = []
    for _ in range(60):
        if rng.random() < 0.7:
            callers.append((landed, asyncio.ensure_future(flights.do("a", fetches.work()))))
            await settle()
        elif fetches.now:
            fetches.may_land.set()
            await settle()
            landed = fetches.begun
            fetches.may_land.clear()
    fetches.may_land.set()
    answers = [(before, await caller) for before, caller in callers]
    assert fetches.most == 1
    assert all(answer > before for before, answer in answers)
    assert {answer for _, answer in answers} == set(range(1, fetches.begun + 1))


class Shared:
    """What all processes see: a place for the value, and a turn. Time is told by hand."""

    def __init__(self) -> None:
        self.value: int | None = None
        self.holder: object | None = None
        self.made = 0
        self.sleepers: list[asyncio.Event] = []

    def turn(self) -> _Turn:
        """Somebody who may take it."""
        return _Turn(self)

    async def look(self) -> int | None:
        """The value, if it is there."""
        await asyncio.sleep(0)
        return self.value

    async def work(self) -> int:
        """Make the value, and leave it where all look."""
        self.made += 1
        await asyncio.sleep(0)
        self.value = self.made
        return self.made

    async def sleep(self, seconds: float) -> None:
        """Until `wake`."""
        event = asyncio.Event()
        self.sleepers.append(event)
        await event.wait()

    async def wake(self) -> None:
        """Time passes for all who sleep."""
        for event in self.sleepers:
            event.set()
        self.sleepers.clear()
        await settle()

    def process(self, work: Callable[[], Awaitable[int]] | None = None) -> asyncio.Task[int]:
        """One process that wants the value."""
        made = once_for_all(self.look, work or self.work, self.turn(), sleep=self.sleep)
        return asyncio.ensure_future(made)


class _Turn:
    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    async def take(self) -> bool:
        await asyncio.sleep(0)
        if self._shared.holder is None:
            self._shared.holder = self
        return self._shared.holder is self

    async def give_back(self) -> None:
        if self._shared.holder is self:
            self._shared.holder = None


async def test_of_all_processes_one_does_the_work() -> None:
    """The others find what it left."""
    shared = Shared()
    processes = [shared.process() for _ in range(5)]
    await settle()
    await shared.wake()
    assert await asyncio.gather(*processes) == [1] * 5
    assert (shared.made, shared.holder) == (1, None)


async def test_what_is_there_needs_no_turn() -> None:
    """Whoever finds it takes it."""
    shared = Shared()
    shared.value, shared.holder = 7, "somebody else"
    assert await shared.process() == 7
    assert shared.made == 0


async def test_the_turn_is_used_only_if_the_value_is_still_not_there() -> None:
    """Found nothing, then got the turn that the last holder had just given back: the work is done already."""
    shared = Shared()

    async def look() -> int | None:
        looked = shared.value
        if shared.value is None:
            shared.value = 7  # somebody finishes between this look and our turn
        return looked

    assert await once_for_all(look, shared.work, shared.turn(), sleep=shared.sleep) == 7
    assert (shared.made, shared.holder) == (0, None)


async def test_a_holder_that_fails_hands_the_turn_on() -> None:
    """Its error is its own; the next one does the work."""
    shared = Shared()

    async def fail() -> int:
        raise OSError("the database is gone")

    failing = shared.process(fail)
    waiting = shared.process()
    await settle()
    await shared.wake()
    with pytest.raises(OSError, match="gone"):
        await failing
    assert await waiting == 1


async def test_a_turn_that_cannot_be_given_back_spoils_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """The lock has failed after the work: the caller gets what was made; where the work failed, that error."""
    shared = Shared()

    class Lost(_Turn):
        async def give_back(self) -> None:
            raise ConnectionError("Redis is gone")

    async def fail() -> int:
        raise OSError("the database is gone")

    assert await once_for_all(shared.look, shared.work, Lost(shared), sleep=shared.sleep) == 1
    assert "a turn could not be given back (ConnectionError('Redis is gone'))" in caplog.text
    shared.value = shared.holder = None
    with pytest.raises(OSError, match="the database is gone"):
        await once_for_all(shared.look, fail, Lost(shared), sleep=shared.sleep)


async def test_a_holder_that_dies_holds_up_the_others_until_its_turn_ends() -> None:
    """They look again and again; when the lock comes free by itself, one of them takes it."""
    shared = Shared()
    shared.holder = "a process that was killed"
    waiting = [shared.process() for _ in range(3)]
    for _ in range(10):
        await settle()
        await shared.wake()
    assert not any(process.done() for process in waiting)
    shared.holder = None  # Redis lets the key expire
    for _ in range(2):
        await shared.wake()
    assert await asyncio.gather(*waiting) == [1] * 3
    assert shared.made == 1
