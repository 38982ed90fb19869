"""Wake-ups to the microsecond: one heap of due times behind one Linux timerfd (uvloop's own timers count whole ms)."""

import asyncio
import ctypes
import heapq
import os
import time
from collections.abc import Callable
from itertools import count

_FAR_S = 365 * 24 * 3600.0
_SWEEP_AT = 64
# A crowd of equal delays would stay a crowd for ever if it left as one. So the sockets get their turn after a few, and
# the loop sleeps for a moment: whoever a write has woken may share this core, and answers only once it is given up.
_AT_ONCE = 2
_PAUSE_S = 20e-6


class Timer:
    """One wake-up; `cancel` forgets the callback at once and is safe to repeat."""

    __slots__ = ("_timers", "callback", "due_s")

    def __init__(self, timers: "Timers", due_s: float, callback: Callable[[], None]) -> None:
        self._timers = timers
        self.due_s = due_s
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Forget this wake-up and whatever its callback kept alive."""
        if self.callback is not None:
            self.callback = None
            self._timers.cancelled()


class Timers:
    """Calls back at given moments of `now()` (seconds, monotonic), never early, in order of due time.

    `arm(delay_s)` must have `fire` called after that many seconds; a later call replaces an earlier one, and None
    means not at all.
    """

    def __init__(self, arm: Callable[[float | None], None], now: Callable[[], float] = time.monotonic) -> None:
        self.now = now
        self._arm = arm
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = count()
        self._armed_s = float("inf")
        self._cancelled = 0

    def at(self, due_s: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` once, as soon as `now()` has reached `due_s`."""
        timer = Timer(self, due_s, callback)
        heapq.heappush(self._heap, (due_s, next(self._order), timer))
        if due_s < self._armed_s:
            self._armed_s = due_s
            self._arm(max(due_s - self.now(), 0.0))
        return timer

    def cancelled(self) -> None:
        """Count one cancelled timer; sweep the heap when most of it is cancelled, so that it cannot grow."""
        self._cancelled += 1
        if self._cancelled > _SWEEP_AT and self._cancelled * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].callback is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def fire(self) -> None:
        """Run what is due, at most a few at once, and arm for the next."""
        self._armed_s = -1.0  # the callbacks' own timers need not arm one by one
        heap = self._heap
        now_s, pause_s = self.now(), _PAUSE_S
        try:
            for _ in range(_AT_ONCE):
                if not heap or heap[0][0] > now_s:
                    pause_s = 0.0
                    break
                timer = heapq.heappop(heap)[2]
                callback, timer.callback = timer.callback, None
                if callback is None:
                    self._cancelled -= 1
                else:
                    callback()
                    heap = self._heap  # a sweep during the callback replaces the list
        finally:  # one callback that fails must not keep the others from their time
            heap = self._heap
            self._armed_s = heap[0][0] if heap else float("inf")
            self._arm(max(self._armed_s - self.now(), pause_s) if heap else None)

    def __len__(self) -> int:
        return len(self._heap) - self._cancelled


class _TimeSpec(ctypes.Structure):
    _fields_ = (("tv_sec", ctypes.c_long), ("tv_nsec", ctypes.c_long))


class _TimerSpec(ctypes.Structure):
    _fields_ = (("interval", _TimeSpec), ("value", _TimeSpec))


def start_timers(loop: asyncio.AbstractEventLoop) -> tuple[Timers, Callable[[], None]]:
    """Timers that live on `loop`, and the call that ends them; without timerfd they keep to the loop's whole ms."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "timerfd_create"):
        return _loop_timers(loop)
    descriptor: int = libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
    if descriptor < 0:
        return _loop_timers(loop)
    spec = _TimerSpec()
    reference = ctypes.byref(spec)
    set_time = libc.timerfd_settime

    def arm(delay_s: float | None) -> None:
        delay_s = 0.0 if delay_s is None else min(max(delay_s, 1e-9), _FAR_S)  # all zero would disarm it
        spec.value.tv_sec = whole_s = int(delay_s)
        spec.value.tv_nsec = int((delay_s - whole_s) * 1e9)
        set_time(descriptor, 0, reference, None)  # also takes back what is readable

    timers = Timers(arm)

    def stop() -> None:
        loop.remove_reader(descriptor)
        os.close(descriptor)

    loop.add_reader(descriptor, timers.fire)
    return timers, stop


def _loop_timers(loop: asyncio.AbstractEventLoop) -> tuple[Timers, Callable[[], None]]:
    pending: list[asyncio.TimerHandle] = []

    def arm(delay_s: float | None) -> None:
        stop()
        if delay_s is not None:
            pending.append(loop.call_later(min(delay_s, _FAR_S), timers.fire))

    def stop() -> None:
        while pending:
            pending.pop().cancel()

    timers = Timers(arm)
    return timers, stop
