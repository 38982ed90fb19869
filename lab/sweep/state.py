"""A sweep on disk, in `reports/<experiment>/sweeps/<when>/`: what it asks, and the runs of its finished points."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from lab.errors import LabError
from lab.kit.files import put_in_place
from lab.sweep.asked import Asked

FILE = "sweep.json"


class Point(msgspec.Struct, frozen=True):
    """A point that is finished: the knob's value, and the folder of its run beside `sweeps`."""

    value: str
    run: str


class State(msgspec.Struct):
    """A sweep as far as it has come; times are seconds since 1970."""

    asked: Asked
    started_epoch_s: float
    points: list[Point] = []


def folders(reports: Path, experiment: str) -> list[Path]:
    """The sweeps of an experiment, oldest first."""
    return sorted(path.parent for path in (reports / experiment / "sweeps").glob(f"*/{FILE}"))


def write(folder: Path, state: State) -> None:
    """Write it so that a reader sees the old or the new one. Raises LabError where it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        put_in_place(folder / FILE, msgspec.json.format(msgspec.json.encode(state), indent=2))
    except OSError as error:
        raise LabError(f"{folder}: cannot be written ({error.strerror}); name another folder with --reports") from error


def unfinished(reports: Path, experiment: str, asked: Asked) -> tuple[Path, State] | None:
    """The newest sweep that asked the same and has points left; those whose run has gone are left again."""
    for folder in reversed(folders(reports, experiment)):
        state = _read(folder)
        if state is None or state.asked != asked:
            continue
        there = list(_there(reports / experiment, state))
        if len(there) < len(asked.values):
            return folder, State(asked, state.started_epoch_s, there)
        return None
    return None


def _read(folder: Path) -> State | None:
    try:
        return msgspec.json.decode((folder / FILE).read_bytes(), type=State)
    except (OSError, msgspec.MsgspecError):
        return None


def _there(runs: Path, state: State) -> Iterator[Point]:
    for point in state.points:
        if (runs / point.run / "record.json").exists():
            yield point
