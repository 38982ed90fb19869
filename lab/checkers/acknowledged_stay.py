"""What was acknowledged stays in every log, where its answer said; what was refused is in none."""

from __future__ import annotations

import json
from collections.abc import Iterator

from lab.checkers._call import Readbacks, names_of
from lab.checkers._logs import Entry, Logs, Unread, logs
from lab.checkers._played import ENOUGH, too_little, verdict
from lab.checkers.history import Finding, History
from lab.record import Anomaly, Operations
from lab.record.values import text_of


def acknowledged_stay(
    history: History, readbacks: Readbacks, at: str = "index", played_in: str = "", least: int = ENOUGH
) -> Finding:
    """
    Hold acknowledged writes against the members' committed entries, and refused ones too.

    A write is an operation with `key` and `value`; its answer, kept, says `at` which index its entry stands. A value
    that is a JSON list, as a compare-and-set has it, writes its last element. Every member that knows so many to be
    committed must hold the entry there. Where none does, a majority of all members must, in the rest of their logs: the
    leader that counted them died before it could tell, and any later one has the entry (section 5.4 of the Raft paper).
    Of a write with outcome `fail` no member may hold an entry; `info` may go either
    way. Values must not repeat. `readbacks` as for `one_leader_a_term`; what a snapshot has replaced cannot be looked
    at, so that the verdict is UNKNOWN where an acknowledged write lies below the snapshots of all.

    Must have seen: `least` acknowledged writes, in each phase of `played_in` too; each with a value and an index that
    can be read.
    """
    try:
        read = logs(history, names_of(readbacks))
    except Unread as unread:
        return Finding("UNKNOWN", str(unread))
    operations = history.operations
    writes = [k for k in range(len(operations)) if operations.key[k] is not None and operations.value[k] is not None]
    unreadable = next(
        (
            f"operation {int(operations.n[k])} writes {operations.value[k]!r:.100}, which is no JSON list"
            for k in writes
            if _written(operations, k) is None
        ),
        "",
    )
    writes = [k for k in writes if _written(operations, k) is not None]
    acknowledged = [k for k in writes if operations.outcome[k] == "ok"]
    unheard = [int(operations.n[k]) for k in acknowledged if _index(operations, k, at) is None]
    untold = f'the answer of operation {unheard[0]} was not kept, or has no number "{at}"' if unheard else ""
    replaced = min(member.snapshot_index for member in read.members)
    told = [(k, index) for k in acknowledged if (index := _index(operations, k, at)) is not None]
    hidden = sum(index <= replaced for _, index in told)
    below = f"{hidden:,} acknowledged writes lie below every member's snapshot ({replaced})" if hidden else ""
    anomalies = [
        *(anomaly for k, index in told if index > replaced for anomaly in _lost(operations, k, index, read)),
        *_came_true(operations, [k for k in writes if operations.outcome[k] == "fail"], read),
    ]
    few = too_little([operations.phase[k] for k in acknowledged], "writes were acknowledged", least, played_in)
    held = f"{len(acknowledged):,} acknowledged writes are where they should be"
    missing = [unreadable, untold, below, few]
    return verdict(anomalies, f"{len(anomalies):,} of {len(writes):,}", missing, held, len(writes))


def _index(operations: Operations, k: int, at: str) -> int | None:
    try:
        index = json.loads(operations.response[k] or "null")[at]
    except (ValueError, TypeError, KeyError):
        return None
    return index if isinstance(index, int) else None


def _written(operations: Operations, k: int) -> tuple[str, str | None] | None:
    """Key and value that an operation writes, in the one text of all equal values; None where that can't be read."""
    key, value = str(operations.key[k]), str(operations.value[k])
    if not value.startswith("["):
        return key, text_of(value)
    try:
        parts = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return (key, text_of(parts[-1])) if parts else None


def _lost(operations: Operations, k: int, index: int, read: Logs) -> Iterator[Anomaly]:
    """An acknowledged write that a member lacks, or that none holds."""
    key, value = _written(operations, k) or ("", None)
    n = [int(operations.n[k])]
    reached = 0
    for member in read.members:
        found = read.at[member.name].get(index)
        if found is None and index > (member.entries[-1].index if member.entries else member.snapshot_index):
            continue  # it has not come that far
        reached += 1
        if index > member.snapshot_index and not _holds(found, key, value):
            there = "nothing" if found is None else f"{found.key} = {found.value} of term {found.term}"
            yield Anomaly(f"{key} = {value} was acknowledged at index {index}, where {member.name} has {there}", n)
    holders = sum(any(e.index == index and _holds(e, key, value) for e in member.tail) for member in read.members)
    if not reached and holders <= len(read.members) // 2:
        yield Anomaly(f"{key} = {value} was acknowledged at index {index}, which {_how_many(holders)}", n)


def _how_many(holders: int) -> str:
    return f"only {holders} of the members hold, and none as committed" if holders else "no member has"


def _holds(entry: Entry | None, key: str, value: str | None) -> bool:
    return entry is not None and (entry.key, text_of(entry.value)) == (key, value)


def _came_true(operations: Operations, refused: list[int], read: Logs) -> Iterator[Anomaly]:
    """Refused writes that are in a log all the same."""
    held: dict[tuple[str | None, str | None], str] = {}
    for member in read.members:
        for entry in member.entries:
            held.setdefault((entry.key, text_of(entry.value)), f"{member.name} has it at index {entry.index}")
    for k in refused:
        key, value = _written(operations, k) or ("", None)
        if (key, value) in held:
            yield Anomaly(f"{key} = {value} was refused, and {held[(key, value)]}", [int(operations.n[k])])
