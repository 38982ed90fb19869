"""
What orders writes where no node is asked: the wall clock, or a hybrid logical clock.

A hybrid logical clock (Kulkarni et al., "Logical Physical Clocks", 2014) is as near to the wall clock as it can be, and
above every stamp that it has seen, so that a write that follows another has the higher stamp whatever the clocks say. A
clock that is ahead moves every clock that sees its stamps ahead, too.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from msgspec import Struct

Kind = Literal["hybrid", "wall"]


class Stamp(Struct, frozen=True, order=True, array_like=True):
    """The order of writes: by milliseconds since 1970, the counter within one, and the node's name."""

    wall_ms: int = 0
    counter: int = 0
    node: str = ""


class Clock:
    """One node's clock, `ahead_s` seconds ahead of the machine's. A wall clock never looks at others' stamps."""

    def __init__(self, node: str, kind: Kind, ahead_s: float = 0.0, now_s: Callable[[], float] = time.time) -> None:
        self._node = node
        self._kind = kind
        self._ahead_s = ahead_s
        self._now_s = now_s
        self._last = Stamp()

    def now(self) -> Stamp:
        """A stamp above all that this clock has given, and if it is hybrid, above all that it has seen."""
        wall_ms = int((self._now_s() + self._ahead_s) * 1000)
        if wall_ms > self._last.wall_ms:
            self._last = Stamp(wall_ms, 0, self._node)
        else:
            self._last = Stamp(self._last.wall_ms, self._last.counter + 1, self._node)
        return self._last

    def saw(self, stamp: Stamp) -> None:
        """Another node's stamp has arrived."""
        if self._kind == "hybrid" and stamp > self._last:
            self._last = stamp
