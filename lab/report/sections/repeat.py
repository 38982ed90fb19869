"""How to repeat the run."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from lab.kit.places import ROOT
from lab.report.view import View

TITLE = "Repeat this run"


@dataclass(frozen=True)
class Data:
    """The command that was given, one that gives the same schedule again, and those that work on the saved run."""

    command: str
    again: str
    commit: str
    dirty: bool
    folder: str
    arrivals: str


def build(view: View) -> Data:
    """Always there."""
    record = view.record
    again = f"make scenario NAME={record.spec.name} SEED={record.seed}"
    if record.turned:
        again += " SET=" + shlex.quote(" ".join(f"{each.knob}={each.value}" for each in record.turned))
    if record.trials > 1:
        again += f" TRIALS={record.trials}"
    if record.scale != 1.0:
        again += f" SCALE={record.scale:g}"
    return Data(
        command=record.command,
        again=again,
        commit=(record.git_commit or "")[:12],
        dirty=record.git_dirty,
        folder=shlex.quote(_folder(view.run.path)),
        arrivals=record.spec.load.arrivals,
    )


def _folder(path: Path) -> str:
    """A run's folder as `bin/lab` finds it from the project's folder, wherever the reports are."""
    whole = path.absolute()
    return str(whole.relative_to(ROOT)) if whole.is_relative_to(ROOT) else str(whole)
