"""Which names each folder had when it was last synced, and which changes of names go together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

Key = tuple[int, str]  # the folder's inode, the name in it


@dataclass(eq=False)
class Entry:
    """One name that was changed: `changes` are (tick, inode before it), oldest first; `now` is the inode it has.

    `group` are the keys whose changes reach the disk together with its own: a rename's two names.
    """

    key: Key
    now: int | None
    changes: list[tuple[int, int | None]] = field(default_factory=list)
    group: set[Key] = field(default_factory=set)


class Names:
    """All changes of names since they were synced. With `strict`, a name is synced by an fsync of its folder alone.

    Otherwise two habits of ext4 are granted: a rename's two names reach the disk together, whichever is synced, and an
    fsync of a file or folder syncs the names that lead to it.
    """

    def __init__(self, strict: bool = False) -> None:
        self.strict = strict
        self.entries: dict[Key, Entry] = {}
        self._of: dict[int, set[Key]] = {}  # by inode: the changed names that it has now
        self._kept: Counter[int] = Counter()  # by inode: how many changes could bring it back

    def change(self, key: Key, before: int | None, now: int | None, tick: int, begun: int) -> None:
        """A name leads to another inode than `before`; None is none. `begun`: the latest sync still under way."""
        entry = self.entries.setdefault(key, Entry(key, before, group={key}))
        if not entry.changes or entry.changes[-1][0] <= begun:
            entry.changes.append((tick, before))
            if before is not None:
                self._kept[before] += 1
        if entry.now is not None:
            self._of.get(entry.now, set()).discard(key)
        entry.now = now
        if now is not None:
            self._of.setdefault(now, set()).add(key)

    def together(self, one: Key, other: Key) -> None:
        """Two changed names reach the disk together."""
        if one[0] != other[0] and self.strict:
            return
        group = self.entries[one].group | self.entries[other].group
        for key in group:
            if key in self.entries:
                self.entries[key].group = group

    def kept(self, inode: int) -> bool:
        """Whether a power loss could bring this inode back under some name."""
        return self._kept[inode] > 0

    def of_file(self, inode: int) -> set[Key]:
        """The changed names that an fsync of this file or folder syncs; with `strict` none."""
        found: set[Key] = set()
        waiting = [] if self.strict else [inode]
        while waiting:
            new = self._of.get(waiting.pop(), set()) - found
            found |= new
            waiting += [folder for folder, _ in new]
        return found

    def of_folder(self, folder: int) -> set[Key]:
        """The changed names that an fsync of this folder syncs."""
        return {key for key in self.entries if key[0] == folder} | self.of_file(folder)

    def synced(self, keys: Iterable[Key], begun: int) -> set[int]:
        """Names are on disk as they were at `begun`, with those that go together; gives inodes no name needs now."""
        whole = {other for key in keys if key in self.entries for other in self.entries[key].group}
        freed: set[int] = set()
        for key in whole & self.entries.keys():
            entry = self.entries[key]
            for _, before in [change for change in entry.changes if change[0] <= begun]:
                if before is not None:
                    self._kept[before] -= 1
                    freed.add(before)
            entry.changes = [change for change in entry.changes if change[0] > begun]
            if not entry.changes:
                del self.entries[key]
                entry.group.discard(key)
                if entry.now is not None:
                    self._of[entry.now].discard(key)
        return {inode for inode in freed if not self.kept(inode)}

    def folder_is_gone(self, folder: int) -> set[int]:
        """A folder that no power loss brings back has no names, and its inode may be used again; gives freed inodes."""
        freed: set[int] = set()
        for key in [key for key in self.entries if key[0] == folder]:
            entry = self.entries.pop(key)
            entry.group.discard(key)
            for _, before in entry.changes:
                if before is not None:
                    self._kept[before] -= 1
                    freed.add(before)
            if entry.now is not None:
                self._of[entry.now].discard(key)
        return {inode for inode in freed if not self.kept(inode)}

    def groups(self) -> list[set[Key]]:
        """The changes that a power loss takes or leaves together, each group once, the oldest first."""
        by_group = {id(entry.group): entry.group & self.entries.keys() for entry in self.entries.values()}
        return sorted(by_group.values(), key=lambda group: min(self.entries[key].changes[0][0] for key in group))

    def durable(self) -> dict[Key, int | None]:
        """What each changed name led to when it was last synced."""
        return {key: entry.changes[0][1] for key, entry in self.entries.items()}

    def clear(self) -> None:
        """All is synced."""
        self.entries.clear()
        self._of.clear()
        self._kept.clear()
