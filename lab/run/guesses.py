"""Predictions that wait for a run: written down when they were made, taken by the next run at full length."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from lab.catalogue import Entry
from lab.errors import LabError
from lab.kit.files import put_in_place
from lab.kit.places import HOME
from lab.record import Prediction, Run

FOLDER = HOME / "predictions"


def keep(name: str, predictions: Sequence[Prediction], folder: Path = FOLDER) -> None:
    """Keep them for the experiment's next run at full length, in place of any before. Raises LabError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        put_in_place(_file(name, folder), msgspec.json.encode(list(predictions)))
    except OSError as error:
        raise LabError(
            f"{folder}: predictions cannot be kept there ({error.strerror}); free space or set LAB_HOME"
        ) from error


def kept(name: str, folder: Path = FOLDER) -> list[Prediction]:
    """Those that wait for the experiment's next run, none where there are none or they cannot be read."""
    try:
        return msgspec.json.decode(_file(name, folder).read_bytes(), type=list[Prediction])
    except (OSError, msgspec.MsgspecError):
        return []


def awaited_by(entry: Entry, scale: float) -> bool:
    """Whether a run is of the kind that kept predictions are about: at full length, with no knob turned."""
    return scale == 1.0 and not entry.turned


def drop(name: str, run: Run, folder: Path = FOLDER) -> None:
    """Forget those that are in the record of a run now."""
    if run.record.predictions == kept(name, folder):
        _file(name, folder).unlink(missing_ok=True)


def _file(name: str, folder: Path) -> Path:
    return folder / f"{name}.json"
