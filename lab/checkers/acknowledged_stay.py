"""What was acknowledged stays in every log, where its answer said; what was refused is in none."""

from __future__ import annotations

import json
from collections.abc import Iterator

from lab.checkers._logs import Entry, Logs, Unread, logs
from lab.checkers.history import Finding, History
from lab.record import Anomaly, Operations


def acknowledged_stay(history: History, readbacks: str, at: str = "index") -> Finding:
    """
    Hold acknowledged writes against the members' committed entries, and refused ones too.

    A write is an operation with `key` and `value`; its answer, kept, says `at` which index its entry stands. A value
    that is a JSON list, as a compare-and-set has it, writes its last element. Every member that knows so many to be
    committed must hold the entry there. Where none does, a majority of all members must, in the rest of their logs: the
    leader that counted them died before it could tell, and any later one has the entry (section 5.4 of the Raft paper).
    Of a write with outcome `fail` no member may hold an entry; `info` may go either
    way. Values must not repeat. `readbacks` as for `one_leader_a_term`; what a snapshot has replaced cannot be looked
    at, so that the verdict is UNKNOWN where an acknowledged write lies below the snapshots of all.
    """
    try:
        read = logs(history, readbacks)
    except Unread as unread:
        return Finding("UNKNOWN", str(unread))
    operations = history.operations
    writes = [k for k in range(len(operations)) if operations.key[k] is not None and operations.value[k] is not None]
    acknowledged = [k for k in writes if operations.outcome[k] == "ok"]
    if not acknowledged:
        return Finding("UNKNOWN", "no write was acknowledged: nothing was checked")
    unheard = [int(operations.n[k]) for k in acknowledged if _index(operations, k, at) is None]
    if unheard:
        return Finding("UNKNOWN", f'the answer of operation {unheard[0]} was not kept, or has no number "{at}"')
    replaced = min(member.snapshot_index for member in read.members)
    hidden = [k for k in acknowledged if (_index(operations, k, at) or 0) <= replaced]
    if hidden:
        return Finding("UNKNOWN", f"{len(hidden):,} acknowledged writes lie below every member's snapshot ({replaced})")
    anomalies = (
        *(anomaly for k in acknowledged for anomaly in _lost(operations, k, _index(operations, k, at) or 0, read)),
        *_came_true(operations, [k for k in writes if operations.outcome[k] == "fail"], read),
    )
    if anomalies:
        return Finding("FAIL", f"{len(anomalies):,} of {len(writes):,}: {anomalies[0].text}", len(writes), anomalies)
    return Finding("PASS", f"{len(acknowledged):,} acknowledged writes are where they should be", len(writes))


def _index(operations: Operations, k: int, at: str) -> int | None:
    try:
        index = json.loads(operations.response[k] or "null")[at]
    except (ValueError, TypeError, KeyError):
        return None
    return index if isinstance(index, int) else None


def _written(operations: Operations, k: int) -> tuple[str, str]:
    """Key and value that an operation writes."""
    key, value = str(operations.key[k]), str(operations.value[k])
    if value.startswith("["):
        value = str(json.loads(value)[-1])
    return key, value


def _lost(operations: Operations, k: int, index: int, read: Logs) -> Iterator[Anomaly]:
    """An acknowledged write that a member lacks, or that none holds."""
    key, value = _written(operations, k)
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


def _holds(entry: Entry | None, key: str, value: str) -> bool:
    return entry is not None and (entry.key, entry.value) == (key, value)


def _came_true(operations: Operations, refused: list[int], read: Logs) -> Iterator[Anomaly]:
    """Refused writes that are in a log all the same."""
    held: dict[tuple[str | None, str | None], str] = {}
    for member in read.members:
        for entry in member.entries:
            held.setdefault((entry.key, entry.value), f"{member.name} has it at index {entry.index}")
    for k in refused:
        key, value = _written(operations, k)
        if (key, value) in held:
            yield Anomaly(f"{key} = {value} was refused, and {held[(key, value)]}", [int(operations.n[k])])
