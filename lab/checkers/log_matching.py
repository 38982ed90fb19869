"""The members' logs agree: State Machine Safety for what is committed, Log Matching for the rest (Raft, figure 3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import combinations

from lab.checkers._call import Readbacks, names_of
from lab.checkers._logs import Entry, Logs, Member, Unread, logs
from lab.checkers._played import ENOUGH, verdict
from lab.checkers.history import Finding, History
from lab.record import Anomaly


def log_matching(history: History, readbacks: Readbacks, least: int = ENOUGH) -> Finding:
    """
    Hold the members' logs against one another.

    - State Machine Safety: entries committed at one index are the same in term and command.
    - Log Matching: where two logs, their tails too, have an entry of one index and term, they are the same up to there.
    - Within a log, indices have no gap and terms never fall.

    `readbacks` as for `one_leader_a_term`; an entry is a list: index, term, checksum of the command, key, value.

    Must have seen: `least` committed entries that two members hold. What one member alone has agrees with itself.
    """
    try:
        read = logs(history, names_of(readbacks))
    except Unread as unread:
        return Finding("UNKNOWN", str(unread))
    held_by = Counter(entry.index for member in read.members for entry in member.entries)
    anomalies = [*(anomaly for member in read.members for anomaly in _within(member)), *_across(read), *_matching(read)]
    shared = sum(count > 1 for count in held_by.values())
    few = f"{shared:,} committed entries are held by two members; the checker takes at least {least:,}"
    return verdict(
        anomalies,
        f"{len(anomalies):,} times",
        [few if shared < least else ""],
        f"{len(held_by):,} committed entries are the same wherever they are, and the logs match",
        len(held_by),
    )


def _within(member: Member) -> Iterator[Anomaly]:
    index, term = member.snapshot_index, 0
    for entry in (*member.entries, *member.tail):
        if entry.index != index + 1:
            yield Anomaly(f"{member.name} goes from index {index} to {entry.index}")
        if entry.term < term:
            yield Anomaly(f"{member.name} goes back from term {term} to {entry.term} at index {entry.index}")
        index, term = entry.index, entry.term


def _across(read: Logs) -> Iterator[Anomaly]:
    """Indices at which two members have committed different entries."""
    first: dict[int, tuple[str, Entry]] = {}
    for member in read.members:
        for entry in member.entries:
            name, other = first.setdefault(entry.index, (member.name, entry))
            if not _same(other, entry):
                yield Anomaly(
                    f"index {entry.index} was committed twice: {_spelled(name, other)}, {_spelled(member.name, entry)}"
                )


def _matching(read: Logs) -> Iterator[Anomaly]:
    """Pairs of logs that agree in an entry's index and term, and not in it or before it: the first difference of each.

    Where both have committed there, `_across` tells.
    """
    for one, other in combinations(read.members, 2):
        left, right = ({entry.index: entry for entry in (*m.entries, *m.tail)} for m in (one, other))
        common = sorted(left.keys() & right.keys())
        agreed = max((index for index in common if left[index].term == right[index].term), default=0)
        committed = read.at[one.name].keys() & read.at[other.name].keys()
        for index in common:
            if index <= agreed and index not in committed and not _same(left[index], right[index]):
                yield Anomaly(
                    f"{one.name} and {other.name} agree in term {left[agreed].term} at index {agreed}, and differ at "
                    f"{index}: {_spelled(one.name, left[index])}, {_spelled(other.name, right[index])}"
                )
                break


def _same(one: Entry, other: Entry) -> bool:
    return (one.term, one.checksum) == (other.term, other.checksum)


def _spelled(name: str, entry: Entry) -> str:
    what = "" if entry.key is None else f", {entry.key} = {entry.value}"
    return f"by {name} in term {entry.term} (command {entry.checksum:08x}{what})"
