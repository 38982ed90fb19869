"""The replicated log: indices from 1, the beginning replaced by a snapshot once it is long (section 7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from targets.raft.messages import Entry


@dataclass(frozen=True)
class Snapshot:
    """The state machine after `last_included_index`, as bytes. Index 0 and no data: there is none."""

    last_included_index: int = 0
    last_included_term: int = 0
    data: bytes = b""


@dataclass
class Log:
    """Entries after the snapshot. An index below the snapshot's has no term any more."""

    snapshot: Snapshot = field(default_factory=Snapshot)
    entries: list[Entry] = field(default_factory=list)

    @property
    def first_index(self) -> int:
        """Index of the first entry that is here."""
        return self.snapshot.last_included_index + 1

    @property
    def last_index(self) -> int:
        """Index of the last entry; the snapshot's where there is none."""
        return self.snapshot.last_included_index + len(self.entries)

    @property
    def last_term(self) -> int:
        """Term of the last entry."""
        return self.entries[-1].term if self.entries else self.snapshot.last_included_term

    def term_at(self, index: int) -> int | None:
        """The term of the entry at `index`; None where the log does not have it."""
        if index == self.snapshot.last_included_index:
            return self.snapshot.last_included_term
        return self.at(index).term if self.first_index <= index <= self.last_index else None

    def at(self, index: int) -> Entry:
        """The entry at `index`, which must be here."""
        return self.entries[index - self.first_index]

    def after(self, index: int, most: int) -> tuple[Entry, ...]:
        """Up to `most` entries that follow `index`."""
        begin = index + 1 - self.first_index
        return tuple(self.entries[begin : begin + most])

    def write(self, index: int, entries: Sequence[Entry]) -> None:
        """Let `entries` stand at `index` and be the end of the log."""
        del self.entries[index - self.first_index :]
        self.entries.extend(entries)

    def first_of_term(self, index: int) -> int:
        """The first index here of the term that stands at `index`."""
        term = self.at(index).term
        while index > self.first_index and self.at(index - 1).term == term:
            index -= 1
        return index

    def last_of_term(self, term: int) -> int | None:
        """The last index of `term`; None where the log has none of it."""
        for index in range(self.last_index, self.first_index - 2, -1):
            at = self.term_at(index)
            if at == term:
                return index
            if at is not None and at < term:
                return None
        return None

    def install(self, snapshot: Snapshot) -> None:
        """Begin with `snapshot`. Entries that follow it stay if they belong to it, else the whole log goes."""
        index = snapshot.last_included_index
        belongs = self.term_at(index) == snapshot.last_included_term
        self.entries = list(self.after(index, len(self.entries))) if belongs else []
        self.snapshot = snapshot
