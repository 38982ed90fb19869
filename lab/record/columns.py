"""The operations of a run by variant and trial, each column read from its file once, when first asked for."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.record import parquet
from lab.record.operations import Operations
from lab.record.parquet import give_back

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TABLE = "operations"
Key = tuple[str, int]  # variant and trial


class Columns:
    """The operations of a file. A run of a million has 500 MB of texts that few ask for: they stay on disk until then.

    The whole file is looked over first, so that damage is found whatever is asked for.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._split: dict[str, dict[Key, NDArray[Any]]] = {}
        self._operations: dict[Key, Operations] = {}

    def of(self, variant: str, trial: int) -> Operations:
        """Those of one variant in one trial by due time; none where the run has none. Raises RecordError."""
        key = (variant, trial)
        if key not in self._operations:
            _ = self._rows  # damage shows here, and not at the first look at a column
            self._operations[key] = Operations.later(lambda name, rows: self._column(key, name, rows))
        return self._operations[key]

    def forget(self) -> None:
        """Let go of every column: it and the operations that it made hold each other."""
        self._split.clear()
        self._operations.clear()
        give_back()

    def _column(self, key: Key, name: str, rows: NDArray[np.int64] | None) -> NDArray[Any]:
        import numpy as np

        if rows is not None and name not in self._split:  # of a few: not worth reading the whole column
            few = np.empty(len(rows), dtype=object)
            few[:] = parquet.pick(self._file, TABLE, name, self._rows_of(key)[rows])
            return few
        if name not in self._split:
            self._split[name] = self._read(name, {key: self._rows_of(key), **self._rows})
        if key not in self._split[name]:
            self._split[name][key] = self._read(name, {key: self._rows_of(key)})[key]
        whole = self._split[name][key]
        return whole if rows is None else whole[rows]

    def _read(self, name: str, rows: dict[Key, NDArray[np.int64]]) -> dict[Key, NDArray[Any]]:
        from lab.record.tables import column

        table = parquet.read(self._file, TABLE, [name]).combine_chunks()
        found = {key: column(table.take(of_key), name) for key, of_key in rows.items()}
        del table
        give_back()
        return found

    def _rows_of(self, key: Key) -> NDArray[np.int64]:
        import numpy as np

        return self._rows.get(key, np.empty(0, np.int64))

    @cached_property
    def _rows(self) -> dict[Key, NDArray[np.int64]]:
        """Where in the file the operations of each variant and trial stand, by due time."""
        import numpy as np

        from lab.record.tables import column

        parquet.look_over(self._file, TABLE)
        table = parquet.read(self._file, TABLE, ["trial", "variant", "due_s"])
        due_s, trials = column(table, "due_s"), column(table, "trial")
        variants = table["variant"].combine_chunks()
        found: dict[Key, NDArray[np.int64]] = {}
        codes = variants.indices.to_numpy()
        for code, variant in enumerate(variants.dictionary.to_pylist()):
            of_variant = codes == code
            for trial in np.unique(trials[of_variant]).tolist():
                mine = np.flatnonzero(of_variant & (trials == trial))
                found[variant, trial] = mine[np.argsort(due_s[mine], kind="stable")]
        return found
