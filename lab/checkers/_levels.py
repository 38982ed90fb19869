"""What is under way at each return of a history, as bits: what `_configurations` works on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lab.checkers._operation import NOBODYS, Op, Value


@dataclass(slots=True, eq=False)
class Event:
    """A certain operation: `due` is set until it took effect or may count so, `placed` from when it was placed."""

    op: Op
    sets: Value
    opens: int  # the first return that it can take effect before
    due: int
    placed: int
    returns: int = -1


@dataclass(slots=True)
class Level:
    """What is under way at one return: masks of `due`, by the value that matters."""

    free: dict[Value, int]  # reads of it, and writes of it
    looks: dict[Value, int]  # reads and swaps of it
    unlike: dict[Value, int]
    hideable: int  # writes and appends
    unlikes: int
    changes: list[Event]  # by end
    likely: list[Event]  # those of them that a look could wait for, and swaps
    lookers: list[Event]


class Running:
    """What is under way while the history is laid out."""

    def __init__(self) -> None:
        self._events: dict[int, Event] = {}
        self._free: dict[Value, int] = {}
        self._looks: dict[Value, int] = {}
        self._unlike: dict[Value, int] = {}

    def level(self, may_look: set[Value]) -> Level:
        """What is under way now; `may_look`: values that an indeterminate swap could look for."""
        hideable = unlikes = 0
        for event in self._events.values():
            if event.op.kind in ("write", "append"):
                hideable |= event.due
            elif event.op.kind == "unlike":
                unlikes |= event.due
        changes = [event for event in self._events.values() if event.op.changes]
        changes.sort(key=lambda event: event.op.end_s)
        return Level(
            dict(self._free),
            dict(self._looks),
            dict(self._unlike),
            hideable,
            unlikes,
            changes,
            [
                event
                for event in changes
                if event.op.kind == "swap" or event.sets in self._looks or event.sets in may_look
            ],
            [event for event in self._events.values() if event.op.looks_for],
        )

    def add(self, event: Event, refused: set[Value]) -> None:
        """An operation begins; `refused`: values that a compare did not find."""
        self._events[event.op.n] = event
        for masks, value in self._places(event, refused):
            masks[value] = masks.get(value, 0) | event.due

    def remove(self, n: int, refused: set[Value]) -> Event:
        """An operation, by its number, has returned."""
        event = self._events.pop(n)
        for masks, value in self._places(event, refused):
            masks[value] &= ~event.due
            if not masks[value]:
                del masks[value]
        return event

    def _places(self, event: Event, refused: set[Value]) -> Iterator[tuple[dict[Value, int], Value]]:
        kind = event.op.kind
        if kind == "read":
            yield self._free, event.op.sees
        if event.op.looks_for:
            yield self._looks, event.op.sees
        if kind == "unlike":
            yield self._unlike, event.op.sees
        if kind == "write" and event.sets != NOBODYS:
            yield self._free, event.sets
        if kind in ("write", "append") and event.sets not in refused:
            yield self._free, NOBODYS  # what is held then has no use: it can as well be replaced, or added to
