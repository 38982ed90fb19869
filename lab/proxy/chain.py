"""The stages that one direction of one connection passes, kept in step with the toxics of its proxy."""

from collections.abc import Iterable
from typing import Final, Protocol

from lab.proxy.stage import After, Before, Stage, Toxic
from lab.proxy.timers import Timers
from lab.proxy.toxics import behaviours


class Ends(Before, After, Protocol):
    """What stands at both ends of a chain: it is asked for more, and takes what comes out."""


class Chain:
    """Stages between the two ends, in order of creation; those that the dice spared stand beside the line.

    `head` takes what comes in and `last` is the one to ask for more; both are None while nothing is at work. As in
    Toxiproxy, a toxic's dice are thrown when the connection opens or the toxic comes, again when it is updated, and
    again when its successor comes or goes.
    """

    __slots__ = ("_ends", "_places", "_seed", "_timers", "head", "last")

    def __init__(self, ends: Ends, timers: Timers, seed: str, toxics: Iterable[Toxic]) -> None:
        self._ends: Final = ends
        self._timers: Final = timers
        self._seed: Final = seed
        self._places: Final[list[tuple[Toxic, Stage]]] = []
        self.head: Stage | None = None
        self.last: Stage | None = None
        for toxic in toxics:
            self._places.append((toxic, self._stage(toxic)))
        self._link()

    def add(self, toxic: Toxic) -> None:
        """Lengthen the chain by one toxic."""
        self._places.append((toxic, self._stage(toxic)))
        self._link()
        self._restart(len(self._places) - 2)
        self.settle()

    def update(self, position: int, toxic: Toxic) -> None:
        """Take new settings over."""
        self._places[position] = toxic, self._places[position][1]
        self._restart(position)
        self.settle()

    def remove(self, position: int) -> bool:
        """Take one toxic out; what it holds goes on. True if the connection was cut by it, now or before."""
        stage = self._places[position][1]
        if stage.cuts_on_removal and not stage.spent:
            stage.cut()
        else:
            stage.release()
        del self._places[position]
        self._link()
        self._restart(position - 1)
        self.settle()
        return stage.spent

    def settle(self) -> None:
        """Let every stage start its clock and use the room there is, the last first."""
        for _, stage in reversed(self._places):
            if not stage.spared:
                stage.pump()

    def drop(self) -> None:
        """Forget everything held."""
        for _, stage in self._places:
            stage.drop()

    def _stage(self, toxic: Toxic) -> Stage:
        stage = behaviours()[toxic.type](self._timers, f"{self._seed}/{toxic.name}")
        stage.configure(toxic.values)
        stage.throw(toxic.toxicity)
        return stage

    def _restart(self, position: int) -> None:
        if position < 0:
            return
        toxic, stage = self._places[position]
        stage.configure(toxic.values)
        stage.throw(toxic.toxicity)
        if stage.spared:
            stage.release()
        self._link()

    def _link(self) -> None:
        after: After = self._ends
        for _, stage in reversed(self._places):
            stage.after = after
            if not stage.spared:
                after = stage
        before: Before = self._ends
        self.head = self.last = None
        for _, stage in self._places:
            stage.before = before
            if not stage.spared:
                before = self.last = stage
                self.head = self.head or stage
