"""Real files, and a power cut that takes from them what was not synced."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from random import Random

from guarantees import Violation

from targets.raft import storage as module
from targets.raft.outcomes import Save, Stored
from targets.raft.storage import CorruptData, Storage


class PowerCut(BaseException):
    """The power goes in the middle of a save."""


class Files:
    """
    What of a folder's files would outlive a power cut just now.

    A cut keeps what was synced for sure. Of the rest it keeps, by chance, all, nothing, or the beginning: a file may be
    there without its data, and its data without its new name.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.data: dict[int, bytes] = {}  # by inode
        self.names: dict[str, int] = {}
        self.kept: list[int] = []  # file descriptors that keep inodes from being used again
        self.steps_left: int | None = None

    def sync(self, file: int) -> None:
        """Instead of `targets.kit.durable.sync`."""
        self.step()
        self.keep(file)

    def keep(self, file: int) -> None:
        """The data of an open file is on disk."""
        inode = os.fstat(file)
        if inode.st_ino not in self.data:
            self.kept.append(os.dup(file))
        self.data[inode.st_ino] = os.pread(file, inode.st_size, 0)

    def sync_folder(self, folder: Path) -> None:
        """Instead of `targets.kit.durable.sync_folder`."""
        self.step()
        self.names = self.now()

    def now(self) -> dict[str, int]:
        """The inode of each name."""
        return {path.name: path.stat().st_ino for path in self.directory.iterdir()}

    def step(self) -> None:
        """A save has come to a sync: it may come no further. Raises PowerCut."""
        if self.steps_left is not None:
            if self.steps_left == 0:
                raise PowerCut
            self.steps_left -= 1

    def cut(self, rng: Random) -> None:
        """Leave in the folder what a cut leaves."""
        now, names = self.now(), self.names
        content = {inode: (self.directory / name).read_bytes() for name, inode in now.items()}
        if rng.random() < 0.5:  # a directory that was not synced may have reached the disk by itself, also in part
            names = {**names, **{name: inode for name, inode in now.items() if rng.random() < 0.7}}
        found = {name: self.survives(inode, content.get(inode), rng) for name, inode in names.items()}
        for path in self.directory.iterdir():
            path.unlink()
        for name, data in found.items():
            (self.directory / name).write_bytes(data)
        self.close()
        self.data, self.names, self.steps_left = {}, {}, None
        for name in self.now():
            file = os.open(self.directory / name, os.O_RDONLY)
            self.keep(file)
            os.close(file)
        self.names = self.now()

    def close(self) -> None:
        """Let the inodes go."""
        for file in self.kept:
            os.close(file)
        self.kept = []

    def survives(self, inode: int, content: bytes | None, rng: Random) -> bytes:
        """What is left of a file's data."""
        synced = self.data.get(inode, b"")
        if content is None or rng.random() < 0.5:
            return synced
        if not content.startswith(synced):
            return rng.choice([synced, content])
        return content[: rng.randint(len(synced), len(content))]


class PowerDisk:
    """A server's disk: its real storage over such files."""

    def __init__(self, directory: Path, kind: type[Storage]) -> None:
        self.kind = kind
        self.files = Files(directory)
        self.storage: Storage | None = self.open()

    def open(self) -> Storage:
        """The storage; a server that cannot start after a power cut breaks a promise."""
        self.swap_in()
        try:
            return self.kind(self.files.directory)
        except CorruptData as wrong:
            raise Violation("a server starts after a power cut", str(wrong)) from wrong

    def swap_in(self) -> None:
        """Let the storage sync by these files; the test undoes it."""
        module.sync, module.sync_folder = self.files.sync, self.files.sync_folder

    @property
    def stored(self) -> Stored:
        """What was found at the last opening."""
        assert self.storage is not None
        return self.storage.stored

    def save(self, save: Save) -> None:
        """Write and sync."""
        assert self.storage is not None
        self.swap_in()
        self.storage.save(save)

    def crash(self, saving: Save | None, rng: Random) -> None:
        """The power is cut, perhaps between any two steps of a save."""
        assert self.storage is not None
        if saving is not None:
            self.files.steps_left = rng.randrange(6)
            with suppress(PowerCut):
                self.save(saving)
        self.files.steps_left = None
        self.storage.close()
        self.storage = None
        self.files.cut(rng)

    def close(self) -> None:
        """Close what a run leaves open: 9,000 files in all of them."""
        if self.storage is not None:
            self.storage.close()
        self.files.close()

    def reopened(self) -> PowerDisk:
        """The same folder after a crash."""
        self.storage = self.storage or self.open()
        return self
