"""What to try next: what to turn, what to think about, and the answer, folded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lab.record import ExerciseSpec
from lab.report.view import View

TITLE = "Try"


@dataclass(frozen=True)
class Data:
    """The exercises and the file to change."""

    exercises: Sequence[ExerciseSpec]
    file: str


def build(view: View) -> Data | None:
    """None where the scenario has none."""
    return Data(view.spec.exercises, view.spec.file) if view.spec.exercises else None
