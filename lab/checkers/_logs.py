"""What the members of a replicated log said of it when they were read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from lab.checkers._call import listed
from lab.checkers.history import History


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """An entry: index (from 1), term, checksum of its command, and the key and value it writes, if any."""

    index: int
    term: int
    checksum: int
    key: str | None = None
    value: str | None = None


class Member(msgspec.Struct, frozen=True):
    """A member's answer: whom it took for the leader of which term, and its entries after the snapshot.

    `entries` are those it knows to be committed. `tail` are the others: a leader's word of what is committed comes
    after the entry itself, and may not have come.
    """

    name: str
    leaders: list[tuple[int, str]]
    snapshot_index: int
    entries: list[Entry]
    tail: list[Entry] = []


class Unread(Exception):
    """A member that was not read back, or whose answer is none: which, and why."""


@dataclass(frozen=True)
class Logs:
    """Every member's answer; `at` is their entries by index, for a look at one."""

    members: list[Member]
    at: Mapping[str, Mapping[int, Entry]]


def logs(history: History, readbacks: str) -> Logs:
    """The answers that `readbacks` names, separated by commas. Raises Unread."""
    members = []
    for name in listed(readbacks):
        if name not in history.readbacks:
            raise Unread(f'there is no readback "{name}": what that member holds is not known')
        try:
            members.append(msgspec.convert(history.readbacks[name], Member))
        except msgspec.ValidationError as wrong:
            raise Unread(f'the readback "{name}" is no log: {wrong}') from None
    return Logs(members, {member.name: {entry.index: entry for entry in member.entries} for member in members})
