"""What a read gives may be old, but not older than it is allowed to be: a cache that keeps its promise."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from typing import NamedTuple

from lab.checkers._operation import Op, Value
from lab.checkers._played import ENOUGH, too_little, verdict
from lab.checkers._register import Words, registers
from lab.checkers.history import Finding, History
from lab.record import Anomaly
from lab.record.values import text_of


class Reigns(NamedTuple):
    """
    When one value can have been the true one, once for each write of it: from `from_s` on, which rise.

    By `gone_s` others had surely taken the place of this reign and of all before it.
    """

    from_s: list[float]
    gone_s: list[float]


def bounded_staleness(
    history: History,
    within_s: float,
    read: str = "get",
    write: str = "put",
    at: str = "value",
    initial: str | None = None,
    played_in: str = "",
    least: int = ENOUGH,
    clients: int = 0,
) -> Finding:
    """
    Hold each answered read of a key against the writes: what it gives was true at some time since `within_s` before it.

    The first word of an operation's name, in any case, says what it does to its `key`: `read` gives, under `at` of a
    JSON answer that is kept in the record, what it saw (null: nothing); `write` makes it the record's `value`. A key
    holds `initial` at first.

    A write takes effect at some time between its start and its end, so a value counts as replaced at the end of the
    first acknowledged write that began after its own had ended. One that nobody answered may have happened at any time,
    or never: its value may be read, and replaces none. Where two writes set the same value, either explains a read.
    Nothing is assumed of the system's own clocks or of what it says about ages.

    With `clients`, the n-th operation is that of client n modulo so many, and a read is held against that client's own
    writes alone: with `within_s` 0 each client reads its own writes, or later ones (Terry et al., "Session guarantees
    for weakly consistent replicated data", 1994). Others' values may be read from the start
    of their writes on, until an own write replaces them.

    Must have seen: `least` answered reads, in each phase of `played_in` too.
    """
    operations = history.operations
    found, unreadable = registers(operations, Words(read, write, swap="", at=at, swapped=""))
    phase = dict(zip(operations.n.tolist(), operations.phase, strict=True))
    anomalies: list[Anomaly] = []
    phases: list[str] = []
    stalest_s = 0.0
    for key, ops in found.items():
        writes = [op for op in ops if op.kind == "write"]
        reigns = [reigns_of(_seen_by(k, writes, clients), text_of(initial)) for k in range(max(1, clients))]
        for op in (op for op in ops if op.kind == "read"):
            phases.append(phase[op.n])
            behind_s = behind(op, reigns[op.n % clients if clients else 0].get(op.sees))
            if behind_s <= within_s:
                stalest_s = max(stalest_s, behind_s)
            else:
                anomalies.append(Anomaly(_told(key, op, behind_s, within_s), [op.n]))
    checked = len(phases)
    few = too_little(phases, "reads of a key were answered", least, played_in)
    held = f"{checked:,} reads, the stalest {stalest_s:.2f} s behind ({within_s:g} s allowed)"
    return verdict(anomalies, f"{len(anomalies):,} of {checked:,} reads", [*unreadable, few], held, checked)


def _seen_by(client: int, writes: Sequence[Op], clients: int) -> list[Op]:
    """The writes of one of several clients as they are, and those of others as such that replace none."""
    if not clients:
        return list(writes)
    return [op if op.n % clients == client else replace(op, certain=False) for op in writes]


def reigns_of(writes: Sequence[Op], initial: Value) -> dict[Value, Reigns]:
    """By value, when it can have been the true one: once for each write of it."""
    certain = sorted((op for op in writes if op.certain), key=lambda op: op.start_s)
    starts = [op.start_s for op in certain]
    ends = [*accumulate((op.end_s for op in reversed(certain)), min)][::-1]  # the first end from this start on
    ends.append(math.inf)
    found: dict[Value, list[tuple[float, float]]] = {initial: [(-math.inf, ends[0])]}
    for op in writes:
        found.setdefault(op.sets, []).append((op.start_s, ends[bisect_left(starts, op.end_s)]))
    return {value: _reigns(spans) for value, spans in found.items()}


def _reigns(spans: list[tuple[float, float]]) -> Reigns:
    spans.sort()
    return Reigns([from_s for from_s, _ in spans], [*accumulate((gone_s for _, gone_s in spans), max)])


def behind(read: Op, reigns: Reigns | None) -> float:
    """How many seconds before the read began another had surely replaced its value; infinite: it never was true."""
    begun = bisect_right(reigns.from_s, read.end_s) if reigns else 0
    return max(0.0, read.start_s - reigns.gone_s[begun - 1]) if reigns and begun else math.inf


def _told(key: str, read: Op, behind_s: float, within_s: float) -> str:
    seen = f"{key} was read as {'absent' if read.sees is None else repr(read.sees)} at {read.start_s:.3f} s"
    if math.isinf(behind_s):
        return f"{seen}, which no request had written by then"
    return f"{seen}, {behind_s:.3f} s after another had replaced it ({within_s:g} s allowed)"
