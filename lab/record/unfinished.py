"""Folders of runs that are not finished: each is marked as long as its lab lives, and removed after a lab that died."""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import suppress
from pathlib import Path

MARK = ".unfinished"


class Unfinished:
    """The folder of a run without a record yet. Its mark is locked: the kernel unlocks it however the lab ends."""

    def __init__(self, folder: Path) -> None:
        """Make the folder and mark it. Raises OSError where it cannot be made, or is there."""
        self._folder = folder
        folder.mkdir(parents=True)
        draft = folder / f"{MARK}.new"
        self._mark: int | None = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        with suppress(OSError):  # a filesystem without locks
            fcntl.flock(self._mark, fcntl.LOCK_EX)
        draft.rename(folder / MARK)  # not to be seen before it is locked

    def finish(self) -> None:
        """The record is written: whatever happens now, the folder stays. Twice is no more than once."""
        if self._mark is not None:
            (self._folder / MARK).unlink(missing_ok=True)
            os.close(self._mark)
            self._mark = None

    def drop(self) -> None:
        """There is nothing to keep: remove the folder, and the experiment's where it is the only one."""
        _remove(self._folder)
        self.finish()


def sweep(reports: Path) -> list[str]:
    """Remove the folders below `reports` whose lab died before it wrote the record; a sentence for each."""
    said = []
    for mark in sorted(reports.glob(f"*/*/{MARK}")):
        with suppress(OSError):  # another lab is quicker, or it cannot be read
            # in a run from elsewhere it may be a link or a pipe, which would be waited for
            descriptor = os.open(mark, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # refused: its lab lives
                if (mark.parent / "record.json").exists():
                    mark.unlink()
                    continue
                _remove(mark.parent)
                if not mark.parent.exists():
                    said.append(f"run {mark.parent.name}: had no record yet, its folder in {reports} is removed")
            finally:
                os.close(descriptor)
    return said


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        folder.parent.rmdir()
