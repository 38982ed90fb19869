"""What a disk promises, written down again in the plainest way: a file has bytes in sight and bytes that are synced."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from lab.disk.cut import cut_power
from lab.disk.store import FILES, Store

PAGE = 4096
FOLDERS = ("", "/d")


@dataclass
class File:
    """`seen` are its bytes, `kept` those that a power loss leaves."""

    seen: bytearray = field(default_factory=bytearray)
    kept: bytearray = field(default_factory=bytearray)


class Both:
    """The store and the model of it, which are told the same; folders are synced by name with `strict` alone."""

    def __init__(self, home: Path) -> None:
        (home / FILES / "d").mkdir(parents=True)
        self.home = home
        self.store = Store(home, strict=True)
        self.seen: dict[str, File] = {}
        self.kept: dict[str, File] = {}

    def make(self, path: str) -> None:
        """A new file, where there is none."""
        if path not in self.seen:
            self.store.close(self.store.open(path, os.O_WRONLY, 0o600))
            self.seen[path] = File()

    def write(self, path: str, offset: int, data: bytes, synced: bool) -> None:
        """pwrite, with O_DSYNC or without."""
        if file := self.seen.get(path):
            handle = self.store.open(path, os.O_RDWR)
            self.store.write(handle, data, offset, synced)
            self.store.close(handle)
            end = offset + len(data)
            file.seen.extend(bytes(max(0, end - len(file.seen))))
            file.seen[offset:end] = data
            if synced:
                file.kept.extend(bytes(max(0, end - len(file.kept))))
                first, last = offset // PAGE * PAGE, min(-(-end // PAGE) * PAGE, len(file.kept))
                file.kept[first:last] = file.seen[first:last]

    def truncate(self, path: str, length: int) -> None:
        """Truncate, up or down."""
        if file := self.seen.get(path):
            handle = self.store.open(path, os.O_WRONLY)
            self.store.truncate(handle, length)
            self.store.close(handle)
            file.seen.extend(bytes(max(0, length - len(file.seen))))
            del file.seen[length:]

    def fsync(self, path: str) -> None:
        """Of a file: its bytes."""
        if file := self.seen.get(path):
            with self.store.syncing(self.store.status(path).st_ino):
                pass
            file.kept[:] = file.seen

    def fsync_folder(self, folder: str) -> None:
        """Of a folder: its names."""
        with self.store.syncing(self.store.status(folder or "/").st_ino, folder=True):
            pass
        for names in (self.seen, self.kept):
            assert all(path.startswith("/") for path in names)
        self.kept = {path: file for path, file in self.kept.items() if _folder(path) != folder}
        self.kept |= {path: file for path, file in self.seen.items() if _folder(path) == folder}

    def rename(self, old: str, new: str) -> None:
        """Over what is there, if anything is."""
        if old in self.seen and self.seen.get(new) is not self.seen[old]:
            self.store.rename(old, new)
            self.seen[new] = self.seen.pop(old)

    def link(self, old: str, new: str) -> None:
        """Another name of the same file."""
        if old in self.seen and new not in self.seen:
            self.store.link(old, new)
            self.seen[new] = self.seen[old]

    def unlink(self, path: str) -> None:
        """A name less."""
        if self.seen.pop(path, None):
            self.store.unlink(path)

    def cut(self) -> None:
        """The power goes."""
        assert cut_power(self.store).lost_inodes == 0
        self.seen = dict(self.kept)
        for file in self.kept.values():
            file.seen = bytearray(file.kept)

    def check(self) -> None:
        """Both show the same names and bytes, and nothing is buried in vain after a power loss."""
        assert on_disk(self.home / FILES) == {path: bytes(file.seen) for path, file in self.seen.items()}


def on_disk(root: Path) -> dict[str, bytes]:
    """All files below a folder, by their paths from there."""
    return {f"/{file.relative_to(root)}": file.read_bytes() for file in root.rglob("*") if file.is_file()}


def _folder(path: str) -> str:
    return path.rpartition("/")[0]
