"""Where two members have committed an entry at one index, it is the same entry, and none is missing in between."""

from __future__ import annotations

from collections.abc import Iterator

from lab.checkers._logs import Entry, Logs, Member, Unread, logs
from lab.checkers.history import Finding, History
from lab.record import Anomaly


def log_matching(history: History, readbacks: str) -> Finding:
    """
    Hold the members' committed entries against one another (figure 3 of the Raft paper).

    Entries at one index are the same in term and command; within a log, indices have no gap and terms never fall.
    `readbacks` as for `one_leader_a_term`; an entry is a list: index, term, checksum of the command, key, value.
    """
    try:
        read = logs(history, readbacks)
    except Unread as unread:
        return Finding("UNKNOWN", str(unread))
    checked = len({entry.index for member in read.members for entry in member.entries})
    if not checked:
        return Finding("UNKNOWN", "no member has committed anything: nothing was checked")
    anomalies = (*(anomaly for member in read.members for anomaly in _within(member)), *_across(read))
    if anomalies:
        return Finding("FAIL", anomalies[0].text, checked, anomalies)
    return Finding("PASS", f"{checked:,} committed entries are the same wherever they are", checked)


def _within(member: Member) -> Iterator[Anomaly]:
    index, term = member.snapshot_index, 0
    for entry in member.entries:
        if entry.index != index + 1:
            yield Anomaly(f"{member.name} goes from index {index} to {entry.index}")
        if entry.term < term:
            yield Anomaly(f"{member.name} goes back from term {term} to {entry.term} at index {entry.index}")
        index, term = entry.index, entry.term


def _across(read: Logs) -> Iterator[Anomaly]:
    first: dict[int, tuple[str, Entry]] = {}
    for member in read.members:
        for entry in member.entries:
            name, other = first.setdefault(entry.index, (member.name, entry))
            if (other.term, other.checksum) != (entry.term, entry.checksum):
                yield Anomaly(
                    f"index {entry.index} was committed twice: {_spelled(name, other)}, {_spelled(member.name, entry)}"
                )


def _spelled(name: str, entry: Entry) -> str:
    what = "" if entry.key is None else f", {entry.key} = {entry.value}"
    return f"by {name} in term {entry.term} (command {entry.checksum:08x}{what})"
