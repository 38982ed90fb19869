"""Histories of one register for tests: written by hand, or taken from a simulated one."""

from __future__ import annotations

import heapq
import json
import math
from collections.abc import Sequence
from itertools import combinations, permutations
from random import Random

import numpy as np

from lab.checkers._operation import Op, Value
from lab.checkers.history import History
from lab.record import Operations


def history(ops: Sequence[Op], key: str = "x") -> History:
    """The record that a run would have kept of these operations."""
    rows = [_row(op) for op in ops]
    size = len(rows)

    def texts(values: Sequence[object]) -> np.ndarray:
        column = np.empty(size, dtype=object)
        column[:] = values
        return column

    return History(
        Operations(
            n=np.array([op.n for op in ops], dtype=np.int64),
            due_s=np.array([op.start_s for op in ops]),
            start_s=np.array([op.start_s for op in ops]),
            end_s=np.array([op.end_s if op.certain else math.nan for op in ops]),
            operation=texts([row[0] for row in rows]),
            outcome=texts(["ok" if op.certain else "info" for op in ops]),
            status=np.full(size, 200, dtype=np.int64),
            error=texts([None] * size),
            phase=texts(["baseline"] * size),
            key=texts([key] * size),
            value=texts([row[1] for row in rows]),
            response=texts([row[2] if op.certain else None for row, op in zip(rows, ops, strict=True)]),
            trace_id=texts([None] * size),
        )
    )


def _row(op: Op) -> tuple[str, str | None, str]:
    if op.kind == "read":
        return "read", None, json.dumps({"value": op.sees})
    if op.kind in ("write", "append"):
        return op.kind, op.sets, "{}"
    return "cas", json.dumps([op.sees, op.sets]), json.dumps({"swapped": op.kind == "swap"})


def write(n: int, start_s: float, end_s: float, value: str) -> Op:
    """A write that was acknowledged."""
    return Op(n, start_s, end_s, "write", sets=value)


def lost(n: int, start_s: float, value: str) -> Op:
    """A write that nobody answered."""
    return Op(n, start_s, math.inf, "write", sets=value, certain=False)


def append(n: int, start_s: float, end_s: float, piece: str) -> Op:
    """An append that was acknowledged."""
    return Op(n, start_s, end_s, "append", sets=piece)


def read(n: int, start_s: float, end_s: float, value: Value) -> Op:
    """A read that was answered."""
    return Op(n, start_s, end_s, "read", sees=value)


def swap(n: int, start_s: float, end_s: float, sees: Value, sets: Value) -> Op:
    """A compare-and-set that matched."""
    return Op(n, start_s, end_s, "swap", sees, sets)


def unlike(n: int, start_s: float, end_s: float, sees: Value) -> Op:
    """A compare-and-set that did not match."""
    return Op(n, start_s, end_s, "unlike", sees)


def brute_force(ops: Sequence[Op], initial: Value = None) -> bool:
    """Try every order of the certain operations and every subset of the others: the definition itself."""
    certain = [op for op in ops if op.certain]
    maybe = [op for op in ops if not op.certain]
    return any(
        _explains(order, initial)
        for size in range(len(maybe) + 1)
        for some in combinations(maybe, size)
        for order in permutations([*certain, *some])
    )


def hard(values: int) -> list[Op]:
    """
    Swaps between each two of so many values, all at once, which no order explains: what they swap is a path through all
    edges of a graph in which two more lead to value 0 than away from it. To see it a search goes through most subsets.
    """
    pairs = [(sees, sets) for sees in range(values) for sets in range(values) if sees != sets]
    swaps = [swap(n, 10, 100, str(sees), str(sets)) for n, (sees, sets) in enumerate(pairs[2:])]
    return [write(len(pairs), 0, 1, "1"), *swaps]


def wing_gong(ops: Sequence[Op], initial: Value = None) -> bool:
    """
    The plain search of Wing and Gong, with configurations remembered and nothing else: any operation that has begun
    before the first end of those left may be next. For histories of a dozen operations, too long for `brute_force`.
    """
    ordered = sorted(ops, key=lambda op: op.start_s)
    seen: set[tuple[int, Value]] = set()
    stack: list[tuple[int, Value]] = [(0, initial)]
    while stack:
        taken, state = stack.pop()
        if (taken, state) in seen:
            continue
        seen.add((taken, state))
        left = [(at, op) for at, op in enumerate(ordered) if not taken >> at & 1]
        until_s = min((op.end_s for _, op in left if op.certain), default=None)
        if until_s is None:
            return True
        for at, op in left:
            if op.start_s <= until_s and op.fits(state):
                stack.append((taken | 1 << at, after(op, state)))
    return False


def after(op: Op, state: Value) -> Value:
    """What the register holds once the operation took effect."""
    if op.kind == "append":
        return (state or "") + (op.sets or "")
    return op.sets if op.changes else state


def _explains(order: Sequence[Op], initial: Value) -> bool:
    state, latest_start_s = initial, -math.inf
    for op in order:
        if op.end_s < latest_start_s or not op.fits(state):
            return False
        latest_start_s = max(latest_start_s, op.start_s)
        state = after(op, state)
    return True


def simulated(seed: int, size: int, clients: int = 5, lost_share: float = 0.0, values: int | None = None) -> list[Op]:
    """
    What `clients` see of a true register in `size` operations; `lost_share` of the writes are never answered.

    Each written value is new, or one of `values` where that is given.
    """
    rng = Random(seed)
    state: Value = None
    ops: list[Op] = []
    free = [(rng.random(), client) for client in range(clients)]
    under_way: list[tuple[float, float, float]] = []  # effect, start, end
    for _ in range(size):
        start_s, client = heapq.heappop(free)
        effect_s = start_s + rng.random()
        end_s = effect_s + rng.random()
        heapq.heappush(under_way, (effect_s, start_s, end_s))
        heapq.heappush(free, (end_s + rng.random() * 0.5, client))
    n = 0
    while under_way:
        _, start_s, end_s = heapq.heappop(under_way)
        fresh = str(n) if values is None else str(rng.randrange(values))
        draw = rng.random()
        if draw < 0.5:
            ops.append(read(n, start_s, end_s, state))
        elif draw < 0.9:
            ops.append(write(n, start_s, end_s, fresh) if rng.random() >= lost_share else lost(n, start_s, fresh))
            if ops[-1].certain or rng.random() < 0.5:
                state = fresh
        elif draw < 0.95:
            ops.append(swap(n, start_s, end_s, state, fresh))
            state = fresh
        else:
            other = "never"
            ops.append(unlike(n, start_s, end_s, other))
        n += 1
    return sorted(ops, key=lambda op: op.start_s)
