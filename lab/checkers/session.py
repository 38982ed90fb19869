"""What a session may rely on wherever it reads: that it sees what it wrote, and that it never reads backwards."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Literal

from lab.checkers._operation import Op
from lab.checkers._played import ENOUGH, too_little, verdict
from lab.checkers._register import Words, registers
from lab.checkers.history import Finding, History
from lab.record import Anomaly

Guarantee = Literal["read-your-writes", "monotonic-reads"]


def session(
    history: History,
    guarantee: Guarantee,
    read: str = "read",
    write: str = "write",
    at: str = "value",
    played_in: str = "",
    least: int = ENOUGH,
) -> Finding:
    """
    Hold the reads of each session against the writes of the same session, or against its reads before.

    A session is a `key` that it alone writes: the first word of an operation's name says what it does, `at` is where a
    read's JSON answer, kept, has what was read (null: nothing yet), and `value` is what a write wrote; no two write the
    same. A session may have several operations under way, so only what had ended before another began comes before it.

    read-your-writes: a read does not return a value, or nothing, that the session had surely replaced: by a write that
    was acknowledged before the read began, and that itself began after the read value's write had ended.
    monotonic-reads: where one read had ended before another began, the later does not return what was surely replaced
    by the value that the earlier returned. Source: Terry et al., "Session Guarantees for Weakly Consistent Replicated
    Data" (1994), sections 3.1 and 3.2.

    A read of a value that no write of the session wrote is a violation of either.

    Must have seen: `least` answered reads of sessions that had an acknowledged write, in each phase of `played_in` too.
    """
    operations = history.operations
    found, unreadable = registers(operations, Words(read, write, swap="", at=at, swapped=""))
    phase = dict(zip(operations.n.tolist(), operations.phase, strict=True))
    anomalies: list[Anomaly] = []
    phases: list[str] = []
    for name, ops in found.items():
        writes = [op for op in ops if op.kind == "write"]
        reads = sorted((op for op in ops if op.kind == "read"), key=lambda op: op.start_s)
        if not any(op.certain for op in writes):
            continue
        phases += [phase[op.n] for op in reads]
        wrote: dict[str | None, tuple[float, float]] = {op.sets: (op.start_s, op.end_s) for op in writes}
        wrote[None] = (-math.inf, -math.inf)  # before the first write there is nothing
        anomalies += [
            Anomaly(f"{name} read {op.sees!r}, which it had not written by then", [op.n])
            for op in reads
            if op.sees not in wrote or wrote[op.sees][0] > op.end_s
        ]
        known = [op for op in reads if op.sees in wrote and wrote[op.sees][0] <= op.end_s]
        look = _own if guarantee == "read-your-writes" else _backwards
        anomalies += look(name, known, writes, wrote)
    few = too_little(phases, "reads of sessions that had written were answered", least, played_in)
    held = f"{len(phases):,} reads of {len(found):,} sessions, none against {guarantee}"
    return verdict(anomalies, f"{len(anomalies):,} of {len(phases):,} reads", [*unreadable, few], held, len(phases))


Spans = dict[str | None, tuple[float, float]]


def _own(name: str, reads: Sequence[Op], writes: Sequence[Op], wrote: Spans) -> Iterator[Anomaly]:
    """Reads of what a write that had ended before had replaced."""
    latest = _Latest([(op.end_s, op.start_s, op.n) for op in writes if op.certain])
    for op in reads:
        replaced_s, by = latest.before(op.start_s)
        if replaced_s > wrote[op.sees][1]:
            yield Anomaly(f"{name} read {_shown(op)} at {op.start_s:.3f} s, after its own later write", [by, op.n])


def _backwards(name: str, reads: Sequence[Op], writes: Sequence[Op], wrote: Spans) -> Iterator[Anomaly]:
    """Reads of what a value that was read before had replaced."""
    latest = _Latest([(op.end_s, wrote[op.sees][0], op.n) for op in reads])
    for op in reads:
        replaced_s, by = latest.before(op.start_s)
        if replaced_s > wrote[op.sees][1]:
            yield Anomaly(
                f"{name} read {_shown(op)} at {op.start_s:.3f} s, after it had read a later value", [by, op.n]
            )


def _shown(op: Op) -> str:
    return "nothing" if op.sees is None else repr(op.sees)


class _Latest:
    """Of operations, given by end, by when what they show was begun to be written, and by number: the latest write
    among those that had ended by some moment."""

    def __init__(self, ended: Sequence[tuple[float, float, int]]) -> None:
        ordered = sorted(ended)
        self._ends = [end_s for end_s, _, _ in ordered]
        self._latest = [*accumulate(((start_s, n) for _, start_s, n in ordered), max)]

    def before(self, at_s: float) -> tuple[float, int]:
        """When that write began, and the operation's number; minus infinity where none had ended."""
        at = bisect_left(self._ends, at_s)
        return self._latest[at - 1] if at else (-math.inf, -1)
