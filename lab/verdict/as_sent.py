"""
A run as it would read without the load generator's lateness, so that a claim can be judged with and without it.

Two readings. `on-time`: each operation is moved to when it was due, with the wait that it had; what is left of a wait
is the system's. `as-sent`: each counts as due when it was sent, in the phase in which it was sent. A verdict that
differs between the record and either of them rests on the generator.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from lab.record import Operations, Run

Reading = Literal["on-time", "as-sent"]


@dataclass(frozen=True)
class Reread(Run):
    """A run whose operations are read another way; all else is as it was."""

    reading: Reading = "on-time"

    def operations(self, variant: str, trial: int = 1, phase: str | None = None) -> Operations:
        """As Run.operations, sorted by (new) due time."""
        operations = super().operations(variant, trial)
        sent_s = np.where(np.isnan(operations.start_s), operations.due_s, operations.start_s)
        if self.reading == "on-time":
            moved = operations.having(start_s=operations.due_s, end_s=operations.end_s - (sent_s - operations.due_s))
        else:
            phases = self._phases_at(variant, trial, sent_s, operations)
            moved = operations.having(due_s=sent_s, start_s=sent_s, phase=phases)
            moved = moved.take(np.argsort(sent_s, kind="stable"))
        return moved if phase is None else moved.where(moved.being("phase", phase))

    def _phases_at(self, variant: str, trial: int, at_s: np.ndarray, operations: Operations) -> np.ndarray:
        episode = self.episode(variant, trial)
        phases = operations.phase.copy()
        for window in episode.phases if episode else []:
            phases[(at_s >= window.start_s) & (at_s < window.end_s)] = window.name
        return phases


def reread(run: Run, reading: Reading) -> Run:
    """The same run, its operations read this way."""
    return Reread(run.path, run.record, reading).sharing(run)
