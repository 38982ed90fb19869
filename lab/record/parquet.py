"""Tables of a run as Parquet, checked before anything believes them: whole, a few columns of one, or part by part."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.errors import RecordError
from lab.record import sound

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq
    from numpy.typing import NDArray

PART_ROWS = 65_536  # of a row group as the lab writes it, and at a time: a dictionary of texts is one group's


def read(file: Path, name: str, columns: Sequence[str] | None = None) -> pa.Table:
    """One of TABLES, or these columns of it; empty where there is no such file. Raises RecordError for damage."""
    from lab.record.tables import TABLES

    schema = TABLES[name]
    wanted = [field.name for field in schema if columns is None or field.name in columns]
    if not file.exists():
        return schema.empty_table().select(wanted)
    with _opened(file, name) as parquet:
        table = parquet.read(columns=wanted)
        sound.check_texts(file, table)
    return _as_declared(file, name, table, wanted)


def look_over(file: Path, name: str) -> None:
    """Read a table part by part, and keep none of it. Raises RecordError where it is damaged.

    Columns of texts that differ from row to row are only checked when they are read: they are most of a file.
    """
    from lab.record.tables import TABLES, is_text

    for _ in _parts(file, name, [field.name for field in TABLES[name] if not is_text(field)]):
        pass


def pick(file: Path, name: str, column: str, rows: NDArray[np.int64]) -> list[Any]:
    """Values of a few rows of a column, in their order, without the rest. Raises RecordError where it is damaged."""
    import numpy as np

    found: dict[int, Any] = {}
    begin, wanted = 0, np.unique(rows)
    for part in _parts(file, name, [column]):
        mine = wanted[(wanted >= begin) & (wanted < begin + len(part))]
        found.update(zip(mine.tolist(), part[column].take(mine - begin).to_pylist(), strict=True))
        begin += len(part)
    return [found[row] for row in rows.tolist()]


def _parts(file: Path, name: str, columns: Sequence[str]) -> Iterator[pa.Table]:
    import pyarrow as pa

    if not file.exists():
        return
    texts_bytes = 0
    with _opened(file, name) as parquet:
        for batch in parquet.iter_batches(batch_size=PART_ROWS, columns=columns):
            part = pa.Table.from_batches([batch])
            texts_bytes = sound.check_texts(file, part, texts_bytes)
            yield _as_declared(file, name, part, columns)
    give_back()


def give_back() -> None:
    """Give the system back what Arrow and the C library keep of freed memory: columns are large and few."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()
    with suppress(OSError, AttributeError):  # glibc alone has it
        ctypes.CDLL(None).malloc_trim(0)


@contextmanager
def _opened(file: Path, name: str) -> Iterator[pq.ParquetFile]:
    """The file, its size checked, with every column of the table in it; texts come as dictionaries."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from lab.record.tables import TABLES

    if not file.is_file():  # Arrow would look for a data set in a folder
        raise RecordError(f"{file}: is no file; the run is damaged")
    schema = TABLES[name]
    try:
        with pq.ParquetFile(file) as parquet:
            sound.check_size(file, parquet)
            found = [field for field in parquet.schema_arrow if field.name in schema.names]
        there = {field.name for field in found}
        if missing := [column for column in schema.names if column not in there]:
            raise RecordError(f"{file}: has no column {', '.join(missing)}; the run is damaged or was edited")
        texts = [field.name for field in found if pa.types.is_string(field.type)]
        with pq.ParquetFile(file, read_dictionary=texts, page_checksum_verification=True) as parquet:
            yield parquet
    except (pa.ArrowException, ValueError, OSError) as error:
        raise RecordError(f"{file}: cannot be read as Parquet ({first_line(error)}); the run is damaged") from error


def _as_declared(file: Path, name: str, table: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Columns in the types that TABLES gives them, their values checked."""
    import pyarrow as pa

    from lab.record.tables import NEVER_NULL, TABLES

    try:
        table = table.select(columns).cast(pa.schema([TABLES[name].field(column) for column in columns]))
    except (pa.ArrowException, ValueError) as error:
        why = first_line(error)
        raise RecordError(f"{file}: holds values of another type ({why}); the run is damaged or was edited") from error
    sound.check_values(file, table, NEVER_NULL)
    return table


def first_line(error: Exception) -> str:
    """The first line of another's error, without its final stop."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
