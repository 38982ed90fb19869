"""The operations of a run as numpy columns; imports numpy for their types alone, since `lab list` needs none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Rows = NDArray[np.int64]
    Source = Callable[[str, Rows | None], NDArray[Any]]
    Floats = NDArray[np.float64]
    Strings = NDArray[np.object_]


@dataclass(frozen=True)
class Operations:
    """Operations as columns, sorted by due time. Unanswered ones have NaN in `end_s` and 0 in `status`.

    Those of a record are read column by column, each when it is first looked at.
    """

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

    @staticmethod
    def later(source: Source) -> Operations:
        """Operations whose columns are asked for by name when first looked at: of these rows, or None for all."""
        found = Operations.__new__(Operations)
        found.__dict__["_source"] = source
        return found

    def __getattr__(self, name: str) -> Any:
        if name not in Operations.__dataclass_fields__ or "_source" not in self.__dict__:
            raise AttributeError(name)
        self.__dict__[name] = self.__dict__["_source"](name, None)
        return self.__dict__[name]

    def at(self, name: str, rows: Rows) -> NDArray[Any]:
        """A column of these rows alone: a column that was not looked at before is not kept."""
        if name in self.__dict__:
            found: NDArray[Any] = self.__dict__[name][rows]
            return found
        few: NDArray[Any] = self.__dict__["_source"](name, rows)
        return few

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
        return self.take(mask.nonzero()[0])

    def take(self, which: Rows) -> Operations:
        """Those at these places, in this order. Of a choice from a choice, columns are taken from the first: the one
        between keeps none.
        """
        root, places = self.__dict__.get("_chosen", (self, None))
        chosen: Rows = which if places is None else places[which]

        def source(name: str, rows: Rows | None) -> NDArray[Any]:
            found: NDArray[Any] = getattr(root, name)[chosen] if rows is None else root.at(name, chosen[rows])
            return found

        taken = Operations.later(source)
        taken.__dict__["_chosen"] = (root, chosen)
        return taken

    def having(self, **own: NDArray[Any]) -> Operations:
        """The same operations with other values in these columns."""

        def source(name: str, rows: Rows | None) -> NDArray[Any]:
            if name in own:
                return own[name] if rows is None else own[name][rows]
            found: NDArray[Any] = getattr(self, name) if rows is None else self.at(name, rows)
            return found

        return Operations.later(source)
