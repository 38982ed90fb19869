"""Every key is a regular register: a read returns the last completed write, or one that was in flight."""

from __future__ import annotations

import math

from lab.checkers._played import ENOUGH, too_little, verdict
from lab.checkers._reads import Read, reads_of
from lab.checkers.history import Finding, History
from lab.record import Anomaly


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
    reads, unreadable = reads_of(history, read, write, at, initial)
    stale = [each for each in reads if each.behind_s > 0]
    anomalies = [Anomaly(_told(each), [each.op.n]) for each in stale]
    few = too_little([each.phase for each in reads], "reads of a key were answered", least, played_in)
    held = f"{len(reads):,} reads returned the last completed write, or one in flight"
    return verdict(anomalies, f"{len(stale):,} of {len(reads):,} reads", [*unreadable, few], held, len(reads))


def _told(read: Read) -> str:
    if math.isinf(read.behind_s):
        return f"{read.told}, which no request had written by then"
    return f"{read.told}, {read.behind_s:.3f} s after a write that replaced it was acknowledged"
