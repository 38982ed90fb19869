"""The smallest piece of a history that still has no order: what a reader must look at to see the violation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from lab.checkers._operation import Op, Value
from lab.checkers._wing_gong import Budget, search

_LAST = (1, 8, 64, 512)  # operations that a violation is looked for in first


def smallest(ops: Sequence[Op], initial: Value, stuck_s: float, budget: Budget) -> list[Op]:
    """
    Operations, by start, that by themselves have no order, while without any one of them they would have.

    Only what loosens the history is left out: looks, and changes whose value none of the rest looks for; so whatever
    the rest shows was wrong in the whole. A budget that runs out ends the search early, with a larger piece.
    """
    kept = _rough(until(ops, stuck_s), initial, budget)
    chunk = max(1, len(kept) // 2)
    while True:
        at, smaller = 0, False
        while at < len(kept) and not budget.spent:
            fewer = without(kept, kept[at : at + chunk])
            if len(fewer) < len(kept) and _has_no_order(fewer, initial, budget):
                kept, smaller = fewer, True
            else:
                at += chunk
        if budget.spent or (chunk == 1 and not smaller):
            return kept
        chunk = max(1, chunk // 2)


def _rough(ops: list[Op], initial: Value, budget: Budget) -> list[Op]:
    """
    Those few that ended last where they have no order by themselves, with the changes that they look for.

    Compares that did not match are left out first of all, for with them no change may go.
    """
    calm = [op for op in ops if op.kind != "unlike"]
    ended = sorted((op for op in calm if op.certain), key=lambda op: op.end_s)
    for last in _LAST:
        staying = {op.n for op in ended[-last:]}
        few = without(calm, [op for op in calm if op.n not in staying])
        if len(few) < len(calm) and _has_no_order(few, initial, budget):
            return few
    return calm if _has_no_order(calm, initial, budget) else ops


def _has_no_order(ops: Sequence[Op], initial: Value, budget: Budget) -> bool:
    """Whether that is sure; to look at each operation once is a step of the budget too."""
    return budget.step(len(ops)) and search(ops, initial, budget).linearizable is False


def until(ops: Sequence[Op], at_s: float) -> list[Op]:
    """The history as it stood at `at_s`: what was under way then may or may not have happened."""
    ended = [op for op in ops if op.end_s <= at_s]
    under_way = [op for op in ops if op.start_s <= at_s < op.end_s and op.changes]
    open_ended = [replace(op, end_s=math.inf, certain=False) for op in under_way]
    return sorted((*ended, *open_ended), key=lambda op: op.start_s)


def without(ops: Sequence[Op], unwanted: Sequence[Op]) -> list[Op]:
    """
    `ops` without those of `unwanted` that may go: a change that the rest looks for stays, or may have to; with appends
    every change stays, for each is a part of what comes after it.
    """
    numbers = {op.n for op in unwanted}
    rest = [op for op in ops if op.n not in numbers]
    leaving = [op for op in ops if op.n in numbers and op.changes]
    strict = any(op.kind == "unlike" for op in rest) or any(op.kind == "append" for op in ops)
    if strict:
        gone = numbers - {op.n for op in leaving}
        return [op for op in ops if op.n not in gone]
    setting: dict[Value, list[Op]] = {}
    for op in leaving:
        setting.setdefault(op.sets, []).append(op)
    looked_for = [op.sees for op in rest if op.looks_for]
    gone = set(numbers)
    while looked_for:  # a swap that stays looks for a value itself
        staying = setting.pop(looked_for.pop(), ())
        gone.difference_update(op.n for op in staying)
        looked_for += [op.sees for op in staying if op.looks_for]
    return [op for op in ops if op.n not in gone]
