"""Every key is a regular register: a read returns the last completed write, or one that was in flight."""

from __future__ import annotations

import math

from lab.checkers._operation import Op
from lab.checkers._played import ENOUGH, too_little, verdict
from lab.checkers._register import Words, registers
from lab.checkers.bounded_staleness import behind, reigns_of
from lab.checkers.history import Finding, History
from lab.record import Anomaly
from lab.record.values import text_of


def regular_register(
    history: History,
    read: str = "read",
    write: str = "write",
    at: str = "value",
    initial: str | None = None,
    played_in: str = "",
    least: int = ENOUGH,
) -> Finding:
    """
    Hold each answered read of a key against the writes, each read by itself (Lamport, "On interprocess communication",
    1986; with several writers MWRegWeak of Shao, Pierce and Welch, 2003).

    A read returns the value of a write that began before the read ended, and that no acknowledged write had replaced:
    one that began after the value's own had ended and that ended before the read began. Two reads one after the other
    may return a new value and then the old one while the write is in flight; `linearizable` forbids that. A write that
    was never acknowledged is in flight for ever. Operations are told by the first word of their names, as by
    `linearizable`; a key holds `initial` at first.

    Must have seen: `least` answered reads, in each phase of `played_in` too.
    """
    operations = history.operations
    found, unreadable = registers(operations, Words(read, write, swap="", at=at, swapped=""))
    phase = dict(zip(operations.n.tolist(), operations.phase, strict=True))
    anomalies: list[Anomaly] = []
    phases: list[str] = []
    for key, ops in found.items():
        reigns = reigns_of([op for op in ops if op.kind == "write"], text_of(initial))
        for op in (op for op in ops if op.kind == "read"):
            phases.append(phase[op.n])
            behind_s = behind(op, reigns.get(op.sees))
            if behind_s > 0:
                anomalies.append(Anomaly(_told(key, op, behind_s), [op.n]))
    checked = len(phases)
    few = too_little(phases, "reads of a key were answered", least, played_in)
    held = f"{checked:,} reads returned the last completed write, or one in flight"
    return verdict(anomalies, f"{len(anomalies):,} of {checked:,} reads", [*unreadable, few], held, checked)


def _told(key: str, read: Op, behind_s: float) -> str:
    seen = f"{key} was read as {'absent' if read.sees is None else repr(read.sees)} at {read.start_s:.3f} s"
    if math.isinf(behind_s):
        return f"{seen}, which no request had written by then"
    return f"{seen}, {behind_s:.3f} s after a write that replaced it was acknowledged"
