"""
Watermark: refuse writes while there is still room, and accept them again only when there is clearly more.

    accepting --(room below `refuse_below`)--> refusing
        ^                                          |
        +------(room above `accept_above`)---------+

Two marks and not one (hysteresis): with a single mark each write that is accepted takes the room below it, and each
file that is removed lifts it above, so the answer changes with every look. What is between the two changes nothing.

A look tells of the past. What is written until the next look, and the largest piece that the store takes at once, must
fit into `refuse_below`. A look that is too old tells nothing: then writes are refused, since a store that runs out of
room may take the reads down with it.

Source: Elasticsearch reference, "Disk-based shard allocation settings" (low, high and flood-stage watermarks).
Made for one event loop: no method awaits; not for threads.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol


class NoRoom(Exception):
    """Writes are refused. `free_bytes` is what the last look found; None where that is too old, or there was none."""

    def __init__(self, free_bytes: int | None) -> None:
        found = "how much room there is, is not known" if free_bytes is None else f"{free_bytes:,} bytes of room"
        super().__init__(f"writes are refused: {found}")
        self.free_bytes = free_bytes


class Listener(Protocol):
    """What is told of each change, metrics for one; called in the middle of a call, so it must not raise."""

    def moved(self, refusing: bool, free_bytes: int | None) -> None:
        """Writes are refused from now on, or accepted again."""
        ...


@dataclass(frozen=True)
class Marks:
    """
    Below `refuse_below` bytes of room writes are refused, above `accept_above` accepted again.

    A look counts for `stale_s` seconds. ValueError names every number that cannot be.
    """

    refuse_below: int
    accept_above: int
    stale_s: float = 2.0

    def __post_init__(self) -> None:
        wrong = [f"{name} is {value}; it must be over 0" for name, value in vars(self).items() if not value > 0]
        if self.accept_above <= self.refuse_below:
            wrong.append(f"accept_above is {self.accept_above}; it must be over refuse_below, {self.refuse_below}")
        if wrong:
            raise ValueError("; ".join(wrong))


class Watermark:
    """Guards the writes to one store. `look` feeds it; `admit` is asked before each write."""

    def __init__(
        self, marks: Marks, *, clock: Callable[[], float] = time.monotonic, listeners: Sequence[Listener] = ()
    ) -> None:
        self.marks = marks
        self._clock = clock
        self._listeners = tuple(listeners)
        self._refusing = False
        self._free_bytes: int | None = None
        self._looked_s = 0.0

    @property
    def refusing(self) -> bool:
        """Whether writes are refused, as far as looks and writes have shown."""
        return self._refusing

    def look(self, free_bytes: int) -> None:
        """So much room there is now."""
        self._free_bytes, self._looked_s = free_bytes, self._clock()
        if self._refusing:
            self._turn(free_bytes <= self.marks.accept_above)
        else:
            self._turn(free_bytes < self.marks.refuse_below)

    def admit(self) -> None:
        """Return where a write may begin. Raises NoRoom."""
        if self._free_bytes is not None and self._clock() - self._looked_s > self.marks.stale_s:
            self._free_bytes = None
        if self._free_bytes is None:
            self._turn(True)
        if self._refusing:
            raise NoRoom(self._free_bytes)

    def _turn(self, refusing: bool) -> None:
        if refusing != self._refusing:
            self._refusing = refusing
            for listener in self._listeners:
                listener.moved(refusing, self._free_bytes)
