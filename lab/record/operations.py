"""The operations of a run as numpy columns; imports numpy for their types alone, since `lab list` needs none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Strings = NDArray[np.object_]


@dataclass(frozen=True)
class Operations:
    """Operations as columns, sorted by due time. Unanswered ones have NaN in `end_s` and 0 in `status`."""

    n: NDArray[np.int64]
    due_s: Floats
    start_s: Floats
    end_s: Floats
    operation: Strings
    outcome: Strings
    status: NDArray[np.int64]
    error: Strings
    phase: Strings
    key: Strings
    value: Strings
    response: Strings
    trace_id: Strings

    def __len__(self) -> int:
        return len(self.n)

    @property
    def latency_ms(self) -> Floats:
        """From due time to end: what a caller who came at that moment waited. NaN where never answered."""
        return (self.end_s - self.due_s) * 1000

    @property
    def naive_latency_ms(self) -> Floats:
        """From actual start to end: what most load tools report."""
        return (self.end_s - self.start_s) * 1000

    @property
    def ok(self) -> NDArray[np.bool_]:
        """Which succeeded."""
        return self.being("outcome", "ok")

    def being(self, column: str, text: str) -> NDArray[np.bool_]:
        """Which have this text in that column."""
        found: NDArray[np.bool_] = (getattr(self, column) == text).astype(bool)
        return found

    def where(self, mask: NDArray[np.bool_]) -> Operations:
        """Those that the mask picks."""
        return Operations(**{name: getattr(self, name)[mask] for name in self.__dataclass_fields__})
