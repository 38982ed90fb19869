"""Reads of registers, each held by itself against the writes: since when its value had surely been replaced."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import NamedTuple

from lab.checkers._operation import Op, Value
from lab.checkers._register import Words, registers
from lab.checkers.history import History
from lab.record.values import text_of


@dataclass(frozen=True)
class Read:
    """An answered read of a key. `behind_s`: how long before it began its value had surely been replaced; 0: it had
    not; infinite: it never was true by then."""

    key: str
    op: Op
    phase: str
    behind_s: float

    @property
    def told(self) -> str:
        """The read, and what it saw."""
        sees = "absent" if self.op.sees is None else repr(self.op.sees)
        return f"{self.key} was read as {sees} at {self.op.start_s:.3f} s"


class _Reigns(NamedTuple):
    """
    When one value can have been the true one, once for each write of it: from `from_s` on, which rise.

    By `gone_s` others had surely taken the place of this reign and of all before it.
    """

    from_s: list[float]
    gone_s: list[float]


def reads_of(
    history: History, read: str, write: str, at: str, initial: str | None, clients: int = 0
) -> tuple[list[Read], list[str]]:
    """
    All answered reads, and why those of other keys cannot be told.

    With `clients`, the n-th operation is that of client n modulo so many, and only a client's own writes replace what
    it may read.
    """
    operations = history.operations
    found, unreadable = registers(operations, Words(read, write, swap="", at=at, swapped=""))
    phase = dict(zip(operations.n.tolist(), operations.phase, strict=True))
    reads: list[Read] = []
    for key, ops in found.items():
        writes = [op for op in ops if op.kind == "write"]
        reigns = [_reigns_of(_seen_by(k, writes, clients), text_of(initial)) for k in range(max(1, clients))]
        for op in (op for op in ops if op.kind == "read"):
            behind_s = _behind(op, reigns[op.n % clients if clients else 0].get(op.sees))
            reads.append(Read(key, op, phase[op.n], behind_s))
    return reads, unreadable


def _seen_by(client: int, writes: Sequence[Op], clients: int) -> list[Op]:
    """The writes of one of several clients as they are, and those of others as such that replace none."""
    if not clients:
        return list(writes)
    return [op if op.n % clients == client else replace(op, certain=False) for op in writes]


def _reigns_of(writes: Sequence[Op], initial: Value) -> dict[Value, _Reigns]:
    """By value, when it can have been the true one: once for each write of it."""
    certain = sorted((op for op in writes if op.certain), key=lambda op: op.start_s)
    starts = [op.start_s for op in certain]
    ends = [*accumulate((op.end_s for op in reversed(certain)), min)][::-1]  # the first end from this start on
    ends.append(math.inf)
    found: dict[Value, list[tuple[float, float]]] = {initial: [(-math.inf, ends[0])]}
    for op in writes:
        found.setdefault(op.sets, []).append((op.start_s, ends[bisect_left(starts, op.end_s)]))
    return {value: _reigns(spans) for value, spans in found.items()}


def _reigns(spans: list[tuple[float, float]]) -> _Reigns:
    spans.sort()
    return _Reigns([from_s for from_s, _ in spans], [*accumulate((gone_s for _, gone_s in spans), max)])


def _behind(read: Op, reigns: _Reigns | None) -> float:
    """How many seconds before the read began another had surely replaced its value; infinite: it never was true."""
    begun = bisect_right(reigns.from_s, read.end_s) if reigns else 0
    return max(0.0, read.start_s - reigns.gone_s[begun - 1]) if reigns and begun else math.inf
