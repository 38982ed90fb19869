"""
What must outlive a power cut: bytes that were synced, and the folder that says where they are.

A file that is synced in a folder that is not has no name after the cut, so both are synced when one is made or renamed.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path


class ClosedFile(Exception):
    """Something was to be kept after its file had been closed; nothing was written."""


def sync(file: int) -> None:
    """
    Return once the data of an open file, and its size, would outlive a power cut. Raises OSError.

    On macOS that takes F_FULLFSYNC: fsync there hands data to the drive, which may keep it in a volatile cache, and
    there is no fdatasync (Apple's fsync(2)). A filesystem that refuses F_FULLFSYNC, as some network ones do, gets the
    fsync.
    """
    _sync(file, getattr(os, "fdatasync", os.fsync))


def sync_folder(folder: Path) -> None:
    """Return once the names in a folder would outlive a power cut. Raises OSError."""
    file = os.open(folder, os.O_RDONLY)
    try:
        _sync(file, os.fsync)
    finally:
        os.close(file)


def _sync(file: int, otherwise: Callable[[int], None]) -> None:
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is None:
        otherwise(file)
        return
    try:
        fcntl.fcntl(file, full)
    except OSError:
        os.fsync(file)


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing; the parent of each new one is synced. Raises OSError."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def write_all(file: int, content: bytes) -> None:
    """Write all of it: one call may take only a part. Raises OSError."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(file, rest) :]
