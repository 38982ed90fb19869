"""
Whether one register's history has an order that explains it: Wing and Gong's search, ordered and remembered by Lowe.

Sources: Wing and Gong, "Testing and verifying concurrent objects" (1993); Lowe, "Testing for linearizability" (2017):
configurations already seen are not searched again, and operations take effect just in time, that is, only when one
of them returns.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lab.checkers._configurations import Config, Table
from lab.checkers._operation import Op, Value

_CLOCK_EVERY = 1_024  # steps
_COMPARED_A_STEP = 512  # configurations, in the time of a step


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
    _since_clock: int = 0

    def step(self, count: int = 1) -> bool:
        """Use a step, or more. False where none is left."""
        self.steps -= count
        if self.steps < 0:
            self.spent = True
        return self.work(count)

    def work(self, count: int) -> bool:
        """Do some of a step's work, which now and then looks at the clock. False where the time is up."""
        self._since_clock += count
        if self._since_clock >= _CLOCK_EVERY:
            self._since_clock = 0
            self.spent = self.spent or time.process_time() > self.until_s
        return not self.spent


def search(ops: Sequence[Op], initial: Value, budget: Budget) -> Search:
    """Look for an order of `ops` that respects time and the register. Never takes more than the budget."""
    if not budget.work(len(ops)):
        return Search(None, 0)
    early = _seen_before_set(ops, initial)
    if not math.isnan(early):
        return Search(False, 0, early)
    table = Table(relevant(ops, initial), initial)
    begin, before, seen = table.begin(), budget.steps, _Seen()
    stack: list[Iterator[Config]] = [iter([] if begin is None else [begin])]
    while stack:
        config = next(stack[-1], None)
        if config is None:
            stack.pop()
        elif table.done(config):
            return Search(True, before - budget.steps)
        elif seen.is_new(config, budget):
            if not budget.step():
                return Search(None, before - budget.steps)
            stack.append(table.moves(*config))
    return Search(False, before - budget.steps, table.returning[table.furthest].op.end_s)


class _Seen:
    """Configurations met so far. One is new unless another at the same place, with the same value, owes no more."""

    def __init__(self) -> None:
        self._debts: dict[tuple[int, Value], list[int]] = {}

    def is_new(self, config: Config, budget: Budget) -> bool:
        passed, debt, state = config
        met = self._debts.setdefault((passed, state), [])
        budget.work(len(met) // _COMPARED_A_STEP)
        for other in met:
            if not other & ~debt:
                return False
        met.append(debt)
        return True


def _seen_before_set(ops: Sequence[Op], initial: Value) -> float:
    """The first end of a look for a value that nothing can have set by then; NaN where there is none."""
    since_s: dict[Value, float] = {initial: -math.inf}
    for op in ops:
        if op.kind == "append":
            return math.nan  # what it sets depends on what was there
        if op.changes and op.start_s < since_s.get(op.sets, math.inf):
            since_s[op.sets] = op.start_s
    late = [op.end_s for op in ops if op.looks_for and op.certain and op.end_s < since_s.get(op.sees, math.inf)]
    return min(late, default=math.nan)


def relevant(ops: Sequence[Op], initial: Value) -> list[Op]:
    """
    The history with its uncertain operations made certain, or left out, wherever that changes nothing.

    One whose value nobody looked for need not have happened, unless a compare may have failed because of it. One whose
    value was looked for and that alone can have set it did happen, before the first who saw it returned. A compare
    with what was never there says nothing.
    """
    if any(op.kind == "append" for op in ops):
        return list(ops)
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
