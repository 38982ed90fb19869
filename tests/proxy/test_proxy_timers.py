import asyncio
import random
import time

import pytest
from proxy_fakes import Clock

from lab.proxy import timers
from lab.proxy.timers import start_timers


def test_callbacks_run_in_order_of_due_time_and_never_early():
    """Whatever the order of asking, each callback runs when its time has come."""
    clock = Clock()
    ran = []
    dues_s = [random.Random(1).uniform(0, 10) for _ in range(200)]
    for due_s in dues_s:
        clock.timers.at(due_s, lambda due_s=due_s: ran.append((due_s, clock.now_s)))
    clock.run(10)
    assert [due_s for due_s, _ in ran] == sorted(dues_s)
    assert all(now_s >= due_s for due_s, now_s in ran)
    assert len(clock.timers) == 0
    assert clock.armed_s is None


def test_a_cancelled_callback_never_runs_and_is_let_go():
    """Cancelling twice is no more than once, and thousands of cancelled timers leave nothing in the heap."""
    clock = Clock()
    ran = []
    kept = clock.timers.at(5, lambda: ran.append(1))
    for number in range(5_000):
        timer = clock.timers.at(1_000 + number, lambda: ran.append(2))
        timer.cancel()
        timer.cancel()
    assert len(clock.timers) == 1
    assert len(clock.timers._heap) < 200
    clock.run(10_000)
    assert ran == [1]
    kept.cancel()
    assert len(clock.timers) == 0


def test_a_callback_that_fails_stops_no_other():
    """The error goes to whoever fires; what is due later is called all the same, and so is what is due now."""
    clock, ran = Clock(), []

    def fail():
        raise ZeroDivisionError

    for due_s in (1, 1, 2):
        clock.timers.at(due_s, fail)
        clock.timers.at(due_s, lambda due_s=due_s: ran.append(due_s))
    failed = 0
    while clock.armed_s is not None:
        try:
            clock.run(10)
        except ZeroDivisionError:
            failed += 1
    assert (failed, ran) == (3, [1, 1, 2])


def test_a_callback_may_set_and_cancel_timers():
    """Timers set during a callback run in their turn, at once if they are due, and cancelled ones do not."""
    clock = Clock()
    ran = []

    def first():
        ran.append("first")
        second.cancel()
        clock.timers.at(clock.now_s, lambda: ran.append("third"))
        for _ in range(200):
            clock.timers.at(50, lambda: ran.append("never")).cancel()

    clock.timers.at(1, first)
    second = clock.timers.at(1, lambda: ran.append("second"))
    clock.run(100)
    assert ran == ["first", "third"]


def test_a_crowd_is_served_in_parts():
    """When many are due at once the loop gets its turn and a moment's sleep in between, and none is forgotten."""
    clock = Clock()
    ran = []
    for number in range(100):
        clock.timers.at(1, lambda number=number: ran.append(number))
    clock.now_s = 1
    clock.timers.fire()
    assert 0 < len(ran) < 100
    assert clock.armed_s > 1
    clock.run(0.01)
    assert ran == list(range(100))


async def woken(wait_s: float) -> float:
    """Sets a timer on the running loop; gives how late it was, in seconds."""
    made, stop = start_timers(asyncio.get_running_loop())
    try:
        rang = asyncio.get_running_loop().create_future()
        due_s = time.monotonic() + wait_s
        made.at(due_s + 60, lambda: rang.set_result(None)).cancel()
        made.at(due_s, lambda: rang.set_result(time.monotonic() - due_s))
        return await asyncio.wait_for(rang, 5)
    finally:
        stop()


@pytest.mark.parametrize("wait_s", [0.0, 0.003, -1.0])
async def test_on_a_loop(wait_s):
    """On a real loop a timer is not early, and one overdue rings at once."""
    assert await woken(wait_s) >= 0


async def test_without_timerfd(monkeypatch):
    """Where the system has no timerfd, the loop's own timers do."""

    class Libc:
        def __init__(self, *_, **__):
            pass

    monkeypatch.setattr(timers.ctypes, "CDLL", Libc)
    assert await woken(0.003) >= -0.002
