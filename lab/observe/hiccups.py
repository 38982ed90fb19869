"""
How late this machine wakes a process that only sleeps: what it adds to every latency, whatever is measured.

Cores that are busy all the time show in `busy_share`. Bursts of somebody else's work, and a host that takes a virtual
machine's cores away, show only here. The idea is Gil Tene's jHiccup.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from lab.load.sample import quantile
from lab.observe import sleeper
from lab.observe.sleeper import PERIOD_S
from lab.runtime.base import Child, Spawn


class Wake(NamedTuple):
    """One wake-up: when it was due, in seconds of the steady clock (perf_counter), and how late it came."""

    due_s: float
    late_ms: float


class Hiccups(NamedTuple):
    """Lateness over a stretch of time: 1 % of all moments in it were met by more than `p99_ms`."""

    p99_ms: float
    max_ms: float


class Meter:
    """A sleeping process, and what it has noted so far."""

    def __init__(self, child: Child) -> None:
        self._child = child

    @classmethod
    def start(cls, spawn: Spawn, folder: Path) -> Meter:
        """Begin, with the notes in `folder`. Raises StartError."""
        # No .log: those are kept and read as logs of services.
        return cls(spawn("hiccup meter", [sys.executable, "-P", sleeper.__file__], log=folder / "hiccups.txt"))

    async def stop(self) -> None:
        """End it."""
        await self._child.stop()

    def wakes(self) -> list[Wake]:
        """All that has been noted."""
        return list(_read(self._child.log))


def between(wakes: Iterable[Wake], start_s: float, end_s: float) -> Hiccups | None:
    """The hiccups of this stretch; None if nothing was noted in it."""
    within = [wake for wake in wakes if start_s <= wake.due_s < end_s]
    return hiccups(within) if within else None


def hiccups(wakes: Iterable[Wake]) -> Hiccups:
    """p99 and maximum of at least one wake-up.

    Whoever oversleeps misses the wake-ups that were due meanwhile; they are counted with what they would have found, or
    a pause of a second would be one late wake-up among hundreds on time.
    """
    late_ms = sorted(value for wake in wakes for value in _with_missed(wake.late_ms))
    return Hiccups(quantile(late_ms, 0.99) or 0.0, late_ms[-1])


def _with_missed(late_ms: float) -> Iterator[float]:
    yield late_ms
    while (late_ms := late_ms - PERIOD_S * 1000) > 0:
        yield late_ms


def _read(noted: Path) -> Iterator[Wake]:
    for line in noted.read_text(errors="replace").splitlines(keepends=True):
        at_s, _, late_ms = line.partition(" ")
        if line.endswith("\n"):  # the last one may be half written
            with suppress(ValueError):  # whatever else a Python that starts or ends may say
                yield Wake(float(at_s) - float(late_ms) / 1000, float(late_ms))
