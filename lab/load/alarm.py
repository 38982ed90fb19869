"""Waking a greenlet at an instant: gevent's timers round up to whole milliseconds on Linux, a timerfd does not."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from contextlib import suppress
from typing import Protocol

import gevent
from gevent.hub import get_hub

_CLOCK_MONOTONIC = 1  # what time.perf_counter() reads on Linux
_NONBLOCK_CLOEXEC = 0o4000 | 0o2000000
_ABSOLUTE = 1
_READ = 1
_NANOS = 1_000_000_000


class Alarm(Protocol):
    """Something that wakes the greenlet that waits on it."""

    def wait_until(self, at_s: float) -> None:
        """Return when time.perf_counter() has reached `at_s`; other greenlets run meanwhile."""


class PlainAlarm:
    """gevent's sleep: up to a millisecond late with epoll, exact with kqueue (macOS)."""

    def wait_until(self, at_s: float) -> None:
        """Return when time.perf_counter() has reached `at_s`."""
        gevent.sleep(max(0.0, at_s - time.perf_counter()))


class _Spec(ctypes.Structure):
    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("value_s", ctypes.c_long),
        ("value_ns", ctypes.c_long),
    )


class TimerAlarm:
    """A Linux timerfd that the event loop watches: within some 0.1 ms on an idle core. One waiter at a time."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._libc.timerfd_create(_CLOCK_MONOTONIC, _NONBLOCK_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._spec = _Spec()
        self._pointer = ctypes.byref(self._spec)
        self._hub = get_hub()
        self._watcher = self._hub.loop.io(self._fd, _READ)

    def wait_until(self, at_s: float) -> None:
        """Return when time.perf_counter() has reached `at_s`."""
        whole, nanos = divmod(max(1, int(at_s * _NANOS)), _NANOS)  # an instant of 0 would disarm it
        self._spec.value_s, self._spec.value_ns = whole, nanos
        if self._libc.timerfd_settime(self._fd, _ABSOLUTE, self._pointer, None) != 0:
            raise OSError(ctypes.get_errno(), "timerfd_settime")
        self._hub.wait(self._watcher)
        os.read(self._fd, 8)


def new_alarm() -> Alarm:
    """Give the most exact alarm that this system has."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # a sandbox or a C library without timerfd
            return TimerAlarm()
    return PlainAlarm()
