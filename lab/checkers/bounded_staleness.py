"""What a read gives may be old, but not older than it is allowed to be: a cache that keeps its promise."""

from __future__ import annotations

import math

from lab.checkers._played import ENOUGH, too_little, verdict
from lab.checkers._reads import Read, reads_of
from lab.checkers.history import Finding, History
from lab.record import Anomaly


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
    reads, unreadable = reads_of(history, read, write, at, initial, clients)
    stale = [each for each in reads if each.behind_s > within_s]
    stalest_s = max((each.behind_s for each in reads if each.behind_s <= within_s), default=0.0)
    anomalies = [Anomaly(_told(each, within_s), [each.op.n]) for each in stale]
    few = too_little([each.phase for each in reads], "reads of a key were answered", least, played_in)
    held = f"{len(reads):,} reads, the stalest {stalest_s:.2f} s behind ({within_s:g} s allowed)"
    return verdict(anomalies, f"{len(stale):,} of {len(reads):,} reads", [*unreadable, few], held, len(reads))


def _told(read: Read, within_s: float) -> str:
    if math.isinf(read.behind_s):
        return f"{read.told}, which no request had written by then"
    return f"{read.told}, {read.behind_s:.3f} s after another had replaced it ({within_s:g} s allowed)"
