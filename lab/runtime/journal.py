"""The journal of one run: what begins and ends is on disk before it happens, so that a crash hides nothing."""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lab.errors import LabError
from lab.model import Scalar

Kind = Literal[
    "run begins", "process starts", "process started", "process ended", "fault in", "fault out",
    "annotation opens", "annotation ended", "run ends",
]  # fmt: skip
Fact = Scalar | None
NUMBER, TEXT = (int, float), (str,)
# What others read of an entry without asking whether it is there.
NEEDED: Mapping[str, Mapping[str, tuple[type, ...]]] = {
    "run begins": {"pid": (int,)},
    "process started": {"pid": (int,)},
    "annotation opens": {"start_epoch_s": NUMBER, "until_epoch_s": NUMBER, "text": TEXT, "url": TEXT},
}
JOURNAL = "journal.jsonl"  # its name in the run's folder, which it makes a run's


class JournalError(LabError):
    """The journal cannot be written."""


@dataclass(frozen=True)
class Entry:
    """One line: when (seconds since the epoch), what, and its facts."""

    at_epoch_s: float
    kind: str
    facts: Mapping[str, Fact]


class Journal:
    """Append-only lines of JSON, each synced to the disk before `write` returns. Raises JournalError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise JournalError(f"{path}: the journal cannot be made ({error.strerror})") from error
        self._faults = 0

    def write(self, kind: Kind, **facts: Fact) -> None:
        """Add one entry."""
        line = json.dumps({"at": time.time(), "kind": kind, **facts}, default=str) + "\n"
        try:
            written = os.write(self._file, line.encode())
            if written < len(line.encode()):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._file)
        except OSError as error:
            raise JournalError(
                f"{self.path}: the journal cannot be written ({error.strerror}), and without it nothing is begun; "
                "free disk space or fix its permissions, or set LAB_HOME to another folder for what the lab keeps "
                "for itself"
            ) from error

    def write_if_possible(self, kind: Kind, **facts: Fact) -> None:
        """Add an entry about what is over: a full disk does not keep the rest from being stopped."""
        with suppress(JournalError):
            self.write(kind, **facts)

    @contextmanager
    def fault(self, what: str, **facts: Scalar) -> Iterator[None]:
        """Write a fault down before it goes in, and on exit, however that comes about, that it is out again."""
        self._faults += 1
        number = self._faults
        self.write("fault in", number=number, what=what, **{f"fact_{name}": fact for name, fact in facts.items()})
        try:
            yield
        finally:
            self.write_if_possible("fault out", number=number, what=what)

    def close(self) -> None:
        """Close the file; nothing can be written after."""
        os.close(self._file)


def read(path: Path) -> list[Entry]:
    """The entries of a journal, oldest first; empty where there is none. Lines that are none are left out."""
    return look_over(path)[0]


def look_over(path: Path) -> tuple[list[Entry], list[int]]:
    """The entries of a journal, and the numbers of lines that are none, from 1.

    The last line is never one of these: a crash tears it, and what could not be written down had not begun.
    """
    try:
        lines = path.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return [], []
    entries = [_entry(line) for line in lines]
    odd = [number for number, entry in enumerate(entries, start=1) if entry is None and number < len(lines)]
    return [entry for entry in entries if entry], odd


def _entry(line: str) -> Entry | None:
    """What a line says; None where it lacks what its kind must have, or has what no journal of ours has."""
    try:
        facts = json.loads(line)
        entry = Entry(float(facts.pop("at")), str(facts.pop("kind")), facts)
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError):
        return None
    needed = NEEDED.get(entry.kind, {})
    whole = all(type(facts.get(name)) in kinds for name, kinds in needed.items())
    plain = all(fact is None or isinstance(fact, bool | int | float | str) for fact in facts.values())
    return entry if whole and plain else None
