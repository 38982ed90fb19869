"""
The configurations that a search for an order goes through, and the moves between them.

A configuration stands at an operation's return, and says what has taken effect of all that has begun, and what the
register holds. Operations take effect just in time (Lowe, "Testing for linearizability", 2017): when one of them
returns and has not, those that must come before it do, and then it does. What keeps the number of configurations small:

- A read takes effect as soon as its value is there, for it changes nothing; so does a write of the value that is there.
- A write is placed early only for a look that waits for its value. Otherwise it waits for its own return. By then it
  may count as done, unseen, if another write was placed since it began: its place is just before that one.
- Of writes of one value the one that ends first is placed first, and one that may never have happened last.
- A value that no look before the next change can wait for is as good as any other such value.
- What is left to do is a number, the debt: bits of looks and changes that are due, of changes that were placed, which
  cannot be placed again, and of indeterminate ones used up. A configuration that owes all that another owes, and more,
  need not be searched.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from lab.checkers._levels import Event, Level, Running
from lab.checkers._operation import NOBODYS, Op, Value

Config = tuple[int, int, Value]  # returns passed, what is owed (as bits), the register's value

_Class = tuple[str, Value, Value, bool]

_MOST_SETTERS = 8  # of one value; with more of them one is nearly always left, and looking for it takes longer


@dataclass(slots=True)
class _Kin:
    """Indeterminate changes of one kind and value: as good as one another, so that only their number counts."""

    op: Op
    sets: Value
    lowest: int  # of its bits; as many are set as were used up
    starts_s: list[float] = field(default_factory=list)


class Table:
    """
    A history as its returns, in their order, with the moves between configurations.

    `furthest` is the last return (by number) that is known to hold a configuration up.
    """

    def __init__(self, ops: Sequence[Op], initial: Value) -> None:
        certain = [op for op in ops if op.certain]
        self.furthest = 0
        self._initial = initial
        self.returning: list[Event] = []
        self._grows = any(op.kind == "append" for op in ops)
        self._may_look = {op.sees for op in ops if op.looks_for and not op.certain}
        self._refused = {op.sees for op in ops if op.kind == "unlike"}
        self._kept = self._may_look | self._refused
        self._merges = not (self._grows and self._kept)
        self._looked_for = {op.sees for op in certain if op.looks_for} | self._kept
        self._levels: list[Level] = []
        self._opening: list[int] = []
        self._lay_out(certain)
        self._kin = self._kinds([op for op in ops if not op.certain and op.changes])
        self._kin_of: dict[Value, list[_Kin]] = {}
        for kin in self._kin:
            self._kin_of.setdefault(kin.sets, []).append(kin)
        self._next_look = self._look_ahead()
        self._known_setters: dict[Value, list[Event] | None] = {}
        self._may_set = {kin.sets for kin in self._kin if kin.op.kind != "append"}
        self._setting: dict[Value, list[Event]] = {value: [] for value in self._may_set}
        for event in self.returning:
            if event.op.kind in ("write", "swap"):
                self._setting.setdefault(event.sets, []).append(event)
        self._looking: dict[Value, list[Event]] = {}  # by value; with appends a look can be for many
        for event in [] if self._grows else self.returning:
            if event.op.looks_for:
                self._looking.setdefault(event.op.sees, []).append(event)
        often = {value for value, setters in self._setting.items() if len(setters) > 1}
        self._comes_back = often | self._may_set | (self._setting.keys() & {initial})

    def begin(self) -> Config | None:
        """Where a search begins; None where nothing can come of it."""
        return self._arrive(0, self._opening[0], self._initial)

    def done(self, config: Config) -> bool:
        """Whether every certain operation has taken effect."""
        return config[0] == len(self.returning)

    def moves(self, passed: int, debt: int, state: Value) -> Iterator[Config]:
        """What may take effect next so that the return can be passed, the likeliest first."""
        look = self._look_to_come(passed, debt)
        wanted = NOBODYS if look is None else look.op.sees
        own = list(self._returns(passed, debt, state))
        moved = {self._class(each, debt) for each in own if each is not None}
        movers = [*own, *self._others(passed, debt, state, moved)]
        movers.sort(key=lambda each: not self._leads(self._result(each, state), wanted))
        for mover in movers:
            config = self._made(mover, passed, debt, state)
            if config is not None:
                yield config

    def _returns(self, passed: int, debt: int, state: Value) -> Iterator[Event | None]:
        """What the operation that returns can do itself; None: it has happened unseen."""
        returning = self.returning[passed]
        if not returning.op.changes:
            return
        if not debt & returning.due and (state != NOBODYS or returning.sets in self._refused):
            yield None
        if returning.op.fits(state):
            yield returning

    def _others(self, passed: int, debt: int, state: Value, moved: set[_Class]) -> Iterator[Event | _Kin]:
        """The other changes that may have to come first, one of each class: by end, then indeterminate ones."""
        level = self._levels[passed]
        everything = self._grows or not self._merges or self._must_leave(passed, debt, state)
        for event in level.changes if everything else level.likely:
            if event.returns == passed or debt & event.placed or not event.op.fits(state):
                continue
            like = self._class(event, debt)
            if like not in moved and self._is_useful(event, passed, debt, state):
                moved.add(like)
                yield event
        for kin in self._kin if everything else self._likely_kin(level):
            known = not kin.op.fits(state) or (kin.op.kind, kin.op.sees, kin.sets, True) in moved
            if not known and self._next_of(kin, passed, debt) and self._is_useful(kin, passed, debt, state):
                yield kin

    def _made(self, mover: Event | _Kin | None, passed: int, debt: int, state: Value) -> Config | None:
        """The configuration after a move; without a mover the return is passed, its write unseen."""
        if mover is None:
            unseen = self.returning[passed].sets
            if unseen != state and self._is_lost(unseen, passed + 1, debt):
                return None
            return self._arrive(passed + 1, debt | self._opening[passed + 1], state)
        if isinstance(mover, Event):
            debt = (debt & ~mover.due) | mover.placed
        else:
            debt |= self._next_of(mover, passed, debt)
        if mover.op.kind == "write":
            debt &= ~self._levels[passed].hideable
        result = self._result(mover, state)
        if result != state and self._is_lost(state, passed, debt):
            return None
        return self._arrive(passed, debt, result)

    def _is_lost(self, value: Value, passed: int, debt: int) -> bool:
        """Whether a look for a value is to come, and that value, which is not there, can't come (again)."""
        looks = self._looking.get(value)
        if looks is None or looks[-1].returns < passed or self._setters(value) is None:
            return False
        for at in range(bisect_left(looks, passed, key=_returned), len(looks)):
            if looks[at].opens > passed or debt & looks[at].due:  # the first; what can come for it can for the others
                if self._can_come(looks[at], passed, debt):
                    return False
                self.furthest = max(self.furthest, looks[at].returns)
                return True
        return False

    def _is_useful(self, mover: Event | _Kin, passed: int, debt: int, state: Value) -> bool:
        """Whether a change is needed before its own return: one that waits for what it leaves, or for it to happen."""
        certain_swap = mover.op.kind == "swap" and mover.op.certain
        level, result = self._levels[passed], self._result(mover, state)
        if certain_swap or not self._merges or (result != state and self._must_leave(passed, debt, state)):
            return True
        if not self._grows:
            return bool(level.looks.get(result, 0) & debt) or result in self._may_look
        look = self._look_to_come(passed, debt)
        return look is not None and self._is_awaited(result, look, passed, debt)

    def _must_leave(self, passed: int, debt: int, state: Value) -> bool:
        """
        Whether a compare that is not to match waits for another value to be there.

        One that does not return yet can wait on, unless this value may come back by then: any other will do.
        """
        waiting = self._levels[passed].unlike.get(state, 0) & debt
        return bool(waiting) and (state in self._comes_back or bool(waiting & self.returning[passed].due))

    def _arrive(self, passed: int, debt: int, state: Value) -> Config | None:
        """
        Let happen what costs nothing: looks that fit the value, and returns of what has taken effect.

        None where a look to come can no longer find its value.
        """
        while True:
            passed, debt = self._settled(passed, debt, state)
            if passed == len(self.returning):
                return passed, 0, NOBODYS
            self.furthest = max(self.furthest, passed)
            look = self._look_to_come(passed, debt)
            if look is not None and not self._leads(state, look.op.sees) and not self._can_come(look, passed, debt):
                self.furthest = max(self.furthest, look.returns)
                return None
            if state == NOBODYS or state in self._kept or not self._merges:
                return passed, debt, state
            if look is not None and self._is_awaited(state, look, passed, debt):
                return passed, debt, state
            state = NOBODYS

    def _settled(self, passed: int, debt: int, state: Value) -> tuple[int, int]:
        while passed < len(self.returning):
            level, returning = self._levels[passed], self.returning[passed]
            debt &= ~level.free.get(state, 0)
            if level.unlikes:
                debt &= ~(level.unlikes & ~level.unlike.get(state, 0))
            if debt & returning.due or (returning.placed and not debt & returning.placed):
                break
            debt &= ~returning.placed
            passed += 1
            debt |= self._opening[passed]
        return passed, debt

    def _look_to_come(self, passed: int, debt: int) -> Event | None:
        """The look that returns first of those that have not taken effect."""
        at = self._next_look[passed]
        while at < len(self.returning):
            look = self.returning[at]
            if look.opens > passed or debt & look.due:
                return look
            at = self._next_look[at + 1]
        return None

    def _is_awaited(self, state: Value, next_look: Event, passed: int, debt: int) -> bool:
        """Whether a look can find `state`, or what becomes of it, before a write replaces it."""
        if self._leads(state, next_look.op.sees):
            return True
        level = self._levels[next_look.returns]
        if not self._grows:
            found = level.looks.get(state, 0)
            if not found or next_look.returns == passed:
                return bool(found & debt)
        return any(
            self._leads(state, look.op.sees) and (look.opens > passed or debt & look.due) for look in level.lookers
        )

    def _can_come(self, look: Event, passed: int, debt: int) -> bool:
        """Whether a change is left that could set the value that a look is for, or the beginning of it."""
        setters = self._setters(look.op.sees)
        return setters is None or any(
            each.returns >= passed and each.opens <= look.returns and (each.opens > passed or not debt & each.placed)
            for each in setters
        )

    def _setters(self, value: Value) -> list[Event] | None:
        """The certain changes that may set it; None where there are too many, or indeterminate ones."""
        if value not in self._known_setters:
            leading = [each for each in self._setting if self._leads(each, value)] if self._grows else [value]
            found = [event for each in leading for event in self._setting.get(each, ())]
            unsure = any(each in self._may_set for each in leading)
            self._known_setters[value] = None if unsure or len(found) > _MOST_SETTERS else found
        return self._known_setters[value]

    def _leads(self, state: Value, value: Value) -> bool:
        """Whether the register holds `value`, or could come to hold it by appends alone."""
        if state == value:
            return True
        return self._grows and value is not None and state != NOBODYS and value.startswith(state or "")

    def _result(self, mover: Event | _Kin | None, state: Value) -> Value:
        if mover is None:
            return state
        if mover.op.kind != "append":
            return mover.sets
        return NOBODYS if state == NOBODYS else (state or "") + (mover.sets or "")

    def _class(self, event: Event, debt: int) -> _Class:
        """Events of one class are as good as one another, but for their ends; appends only if both are due."""
        return event.op.kind, event.op.sees, event.sets, event.op.kind != "append" or bool(debt & event.due)

    def _likely_kin(self, level: Level) -> Iterator[_Kin]:
        """Those that a look which is under way could wait for."""
        for value in level.looks:
            yield from self._kin_of.get(value, ())
        for value in self._may_look:
            if value not in level.looks:
                yield from self._kin_of.get(value, ())

    def _next_of(self, kin: _Kin, passed: int, debt: int) -> int:
        """The bit of one more of a kind; 0 where all that have begun are used up."""
        begun = bisect_right(kin.starts_s, self.returning[passed].op.end_s)
        used = ((debt >> kin.lowest) & ((1 << len(kin.starts_s)) - 1)).bit_length()
        return 1 << (kin.lowest + used) if used < begun else 0

    def _lay_out(self, certain: Sequence[Op]) -> None:
        # Bits are used again once their operation has returned, so that a debt stays a small number.
        waiting = sorted(certain, key=lambda op: op.start_s, reverse=True)
        free: list[int] = []
        self._slots = 0
        now = Running()
        for at, returning in enumerate(sorted(certain, key=lambda op: op.end_s)):
            opening = 0
            while waiting and waiting[-1].start_s <= returning.end_s:  # equal times: they may overlap
                op = waiting.pop()
                if not free:
                    free.append(self._slots)
                    self._slots += 1
                due = 1 << 2 * free.pop()
                sets = NOBODYS if op.changes and not self._grows and op.sets not in self._looked_for else op.sets
                now.add(Event(op, sets, at, due, due << 1 if op.changes else 0), self._refused)
                opening |= due
            self._opening.append(opening)
            self._levels.append(now.level(self._may_look))
            event = now.remove(returning.n, self._refused)
            event.returns = at
            self.returning.append(event)
            free.append((event.due.bit_length() - 1) // 2)
        self._opening.append(0)

    def _kinds(self, indeterminate: Sequence[Op]) -> list[_Kin]:
        found: dict[tuple[str, Value, Value], _Kin] = {}
        for op in sorted(indeterminate, key=lambda op: op.start_s):
            sets = op.sets if self._grows or op.sets in self._looked_for else NOBODYS
            found.setdefault((op.kind, op.sees, sets), _Kin(op, sets, 0)).starts_s.append(op.start_s)
        lowest = 2 * self._slots
        for kin in found.values():
            kin.lowest = lowest
            lowest += len(kin.starts_s)
        return list(found.values())

    def _look_ahead(self) -> list[int]:
        size = len(self.returning)
        ahead = [size] * (size + 1)
        for at in range(size - 1, -1, -1):
            ahead[at] = at if self.returning[at].op.looks_for else ahead[at + 1]
        return ahead


def _returned(event: Event) -> int:
    return event.returns
