"""
Whether one register's history has an order that explains it: Wing and Gong's search, ordered and remembered by Lowe.

Sources: Wing and Gong, "Testing and verifying concurrent objects" (1993); Lowe, "Testing for linearizability" (2017):
configurations already seen are not searched again, and operations take effect just in time, that is, only when one
of them returns.
"""

from __future__ import annotations

import math
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Value = str | None  # None: the key is absent
Kind = Literal["read", "write", "swap", "unlike"]

_CLOCK_EVERY = 1024  # steps
_NOBODYS = "\0 a value that nobody will look for"  # one for all of them: configurations that differ in it do not differ


@dataclass(frozen=True, slots=True)
class Op:
    """
    One operation on the register, in seconds of one clock; it takes effect at some moment between start and end.

    read: the register held `sees`. write: it holds `sets` from then on. swap: it held `sees` and holds `sets`.
    unlike: a compare that did not match, so it held anything but `sees`. One that is not `certain` may have happened
    at any time from its start on, or never; its `end_s` is infinite.
    """

    n: int
    start_s: float
    end_s: float
    kind: Kind
    sees: Value = None
    sets: Value = None
    certain: bool = True

    def fits(self, state: Value) -> bool:
        """Whether it can take effect while the register holds `state`."""
        if self.kind == "write":
            return True
        return (state != self.sees) if self.kind == "unlike" else (state == self.sees)

    @property
    def changes(self) -> bool:
        """Whether it leaves a value behind."""
        return self.kind in ("write", "swap")

    @property
    def looks_for(self) -> bool:
        """Whether it needs one certain value to be there."""
        return self.kind in ("read", "swap")


@dataclass(frozen=True)
class Search:
    """
    How a search ended: True (an order exists), False (none does) or None (the bound was reached first).

    `stuck_s` is the furthest return that no order got past: what happened until then already shows a violation.
    """

    linearizable: bool | None
    steps: int
    stuck_s: float = math.nan


@dataclass
class Budget:
    """
    Steps and CPU time left, shared by all searches of one check; `spent` says whether either ran out.

    `until_s` is of `time.process_time`: what a busy machine takes away does not count.
    """

    steps: int
    until_s: float
    spent: bool = False

    def step(self) -> bool:
        """Use one step. False where none is left."""
        self.steps -= 1
        if self.steps < 0 or (self.steps % _CLOCK_EVERY == 0 and time.process_time() > self.until_s):
            self.spent = True
        return not self.spent


def search(ops: Sequence[Op], initial: Value, budget: Budget) -> Search:
    """Look for an order of `ops` that respects time and the register. Never takes more than the budget."""
    table = _Table(relevant(ops, initial))
    begin = table.settle(0, 0, initial)
    if table.done(begin[0]):
        return Search(True, 0)
    seen = {begin}
    stack = [table.moves(*begin)]
    furthest, before = begin[0], budget.steps
    while stack:
        config = next(stack[-1], None)
        if config is None:
            stack.pop()
            continue
        if config in seen:
            continue
        if not budget.step():
            return Search(None, before - budget.steps)
        if table.done(config[0]):
            return Search(True, before - budget.steps)
        furthest = max(furthest, config[0])
        seen.add(config)
        stack.append(table.moves(*config))
    return Search(False, before - budget.steps, table.returns[furthest].end_s)


_Config = tuple[int, int, Value]  # returns passed, open operations that took effect (as bits), the register's value


class _Table:
    """The history as events: in the order of their returns, each with those that are open when it returns."""

    def __init__(self, ops: Sequence[Op]) -> None:
        self.returns = sorted((op for op in ops if op.certain), key=lambda op: op.end_s)
        self.calm = all(op.kind != "unlike" for op in ops)
        self.bit: dict[int, int] = {}
        self.open: list[list[Op]] = []
        self._lay_out(ops)
        self.looks: dict[Value, list[int]] = {}
        for at, op in enumerate(self.returns):
            if op.looks_for:
                self.looks.setdefault(op.sees, []).append(at)
        self.last_look = {value: looks[-1] for value, looks in self.looks.items()}
        self.may_look = {op.sees for op in ops if op.looks_for and not op.certain}
        self.refused = {op.sees for op in ops if op.kind == "unlike"}
        self.spare = {op.n for op in ops if self._is_spare(op)}

    def _lay_out(self, ops: Sequence[Op]) -> None:
        # Bits are used again once their operation has returned, so that a configuration stays one small number.
        waiting = sorted(ops, key=lambda op: op.start_s, reverse=True)
        free: list[int] = []
        used = 0
        running: dict[int, Op] = {}
        for returning in self.returns:
            while waiting and waiting[-1].start_s <= returning.end_s:  # equal times: they may overlap
                op = waiting.pop()
                if not free:
                    free.append(used)
                    used += 1
                self.bit[op.n] = 1 << free.pop()
                running[op.n] = op
            self.open.append(list(running.values()))
            del running[returning.n]
            free.append(self.bit[returning.n].bit_length() - 1)

    def done(self, passed: int) -> bool:
        return passed == len(self.returns)

    def settle(self, passed: int, taken: int, state: Value) -> _Config:
        """Let happen what costs nothing: looks that fit the value, and returns of what has taken effect."""
        while passed < len(self.returns):
            for op in self.open[passed]:
                if not op.changes and not taken & self.bit[op.n] and op.fits(state):
                    taken |= self.bit[op.n]
            bit = self.bit[self.returns[passed].n]
            if not taken & bit:
                break
            taken &= ~bit
            passed += 1
        if passed > self.last_look.get(state, -1) and state not in self.may_look and state not in self.refused:
            state = _NOBODYS
        return passed, taken, state

    def moves(self, passed: int, taken: int, state: Value) -> Iterator[_Config]:
        """What may take effect next so that the next return can be passed, the likeliest first."""
        returning = self.returns[passed]
        wanted = returning.sees if returning.looks_for else None
        able = [op for op in self.open[passed] if op.changes and not taken & self.bit[op.n] and op.fits(state)]
        if self.spare:
            able = self._one_spare(able, state)
        able.sort(key=lambda op: (op is not returning, not returning.looks_for or op.sets != wanted, op.end_s))
        for op in able:
            now = taken | self.bit[op.n]
            if op.kind == "write" and self.calm:
                now |= self._hidden(passed, now)
            yield self.settle(passed, now, op.sets)

    def _is_spare(self, op: Op) -> bool:
        """Whether all that an uncertain write can explain is that a compare failed: its value is nobody's."""
        unseen = op.sets not in self.looks and op.sets not in self.may_look and op.sets not in self.refused
        return op.kind == "write" and not op.certain and unseen

    def _one_spare(self, able: Sequence[Op], state: Value) -> list[Op]:
        """Of the spare ones, which are as good as one another, the first; none where no compare asks for `state`."""
        spares = [op for op in able if op.n in self.spare]
        first = min(spares, key=lambda op: op.start_s) if spares and state in self.refused else None
        return [op for op in able if op.n not in self.spare or op is first]

    def _hidden(self, passed: int, taken: int) -> int:
        """Open writes whose value nobody will look for: they can take effect just before another write, unseen."""
        hidden = 0
        for op in self.open[passed]:
            if op.kind != "write" or taken & self.bit[op.n] or op.sets in self.may_look:
                continue
            looks = self.looks.get(op.sets, [])
            to_come = len(looks) - bisect_left(looks, passed)
            if to_come:
                to_come -= sum(1 for o in self.open[passed] if self._has_looked(o, op.sets, taken))
            if not to_come:
                hidden |= self.bit[op.n]
        return hidden

    def _has_looked(self, op: Op, value: Value, taken: int) -> bool:
        return op.looks_for and op.sees == value and bool(taken & self.bit[op.n])


def relevant(ops: Sequence[Op], initial: Value) -> list[Op]:
    """
    The history with its uncertain operations made certain, or left out, wherever that changes nothing.

    One whose value nobody looked for need not have happened, unless a compare may have failed because of it. One whose
    value was looked for and that alone can have set it did happen, before the first who saw it returned. A compare
    with what was never there says nothing.
    """
    first_seen_s: dict[Value, float] = {}
    setters: dict[Value, int] = {initial: 1}
    asked = {op.sees for op in ops if op.kind == "swap"}
    for op in ops:
        if op.looks_for and op.certain:
            first_seen_s[op.sees] = min(op.end_s, first_seen_s.get(op.sees, op.end_s))
        if op.changes:
            setters[op.sets] = setters.get(op.sets, 0) + 1
    calm = not any(op.kind == "unlike" and op.sees in setters for op in ops)
    kept: list[Op] = []
    for op in ops:
        if op.certain:
            if op.kind != "unlike" or op.sees in setters:
                kept.append(op)
        elif setters[op.sets] == 1 and op.start_s <= first_seen_s.get(op.sets, -math.inf):
            kept.append(Op(op.n, op.start_s, first_seen_s[op.sets], op.kind, op.sees, op.sets))
        elif not calm or op.sets in first_seen_s or op.sets in asked:
            kept.append(op)
    return kept
