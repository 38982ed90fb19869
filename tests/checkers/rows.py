"""Operations of a record, written by hand: of each what a test says, and nothing of the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lab.record import Operations


@dataclass(frozen=True)
class Row:
    """One operation as it was sent and how it went; times in seconds."""

    key: str | None = None
    outcome: str = "ok"
    response: str | None = None
    phase: str = "baseline"
    operation: str = "op"
    value: str | None = None
    start_s: float = 0.0
    end_s: float = 0.0


def operations(rows: Sequence[Row]) -> Operations:
    """The operations in the order in which they were due."""
    columns: dict[str, object] = {name: np.full(len(rows), None, object) for name in Operations.__dataclass_fields__}
    columns |= {"n": np.arange(len(rows)), "status": np.zeros(len(rows), np.int64)}
    for name in ("start_s", "end_s"):
        columns[name] = np.array([getattr(row, name) for row in rows], float)
    columns["due_s"] = columns["start_s"]
    for name in ("key", "outcome", "phase", "response", "operation", "value"):
        columns[name] = np.array([getattr(row, name) for row in rows], object)
    return Operations(**columns)  # type: ignore[arg-type]
