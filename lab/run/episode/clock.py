"""
The clock of an episode: seconds since the load began, on the steady clock that the load generator counts too.

The wall clock places an episode among what others recorded (Prometheus, logs, traces), and does nothing else. How far
it moved against the steady clock, and how long the machine was suspended, is kept for the judge.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from lab.record import ClockFacts


def asleep_s() -> float:
    """Seconds that this machine was suspended since it started; always 0 where the system does not count them.

    Linux counts them in CLOCK_BOOTTIME and leaves them out of CLOCK_MONOTONIC. Elsewhere a suspension shows as a step
    of the wall clock, which goes on meanwhile.
    """
    since_boot = getattr(time, "CLOCK_BOOTTIME", None)
    if since_boot is None:
        return 0.0
    return time.clock_gettime(since_boot) - time.clock_gettime(time.CLOCK_MONOTONIC)


@dataclass(frozen=True)
class Clocks:
    """This machine's clocks, in seconds; `steady` is one for all processes (CLOCK_MONOTONIC, mach_absolute_time)."""

    steady: Callable[[], float] = time.perf_counter
    wall: Callable[[], float] = time.time
    asleep: Callable[[], float] = asleep_s


class EpisodeClock:
    """Seconds since the load began, negative before. `look` now and then, so that a step back and forth is seen too."""

    def __init__(self, lead_s: float, clocks: Clocks | None = None) -> None:
        """Have the load begin `lead_s` from now."""
        self._clocks = clocks or Clocks()
        self.t0_steady_s = self._clocks.steady() + lead_s
        self.t0_epoch_s = self._clocks.wall() + lead_s
        self._slept_before_s = self._clocks.asleep()
        self._step_s = 0.0

    def now_s(self) -> float:
        """Seconds since the load began."""
        return self._clocks.steady() - self.t0_steady_s

    def look(self) -> None:
        """Compare both clocks."""
        before_s = self.now_s()
        wall_s = self._clocks.wall() - self.t0_epoch_s
        # Between two looks at the steady clock, so that a process that is held up just here is no step of the wall.
        after_s = self.now_s()
        step_s = wall_s - after_s if wall_s > after_s else min(0.0, wall_s - before_s)
        self._step_s = max(self._step_s, step_s, key=abs)

    @property
    def facts(self) -> ClockFacts:
        """What was seen, as the record keeps it."""
        self.look()
        slept_s = max(0.0, self._clocks.asleep() - self._slept_before_s)
        return ClockFacts(round(self._step_s * 1000, 3), round(slept_s * 1000, 3))
