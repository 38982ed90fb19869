"""A run may come from somebody else: what is refused before any of its files is read, and how much of them is."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lab.errors import RecordError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from lab.record.facts import Record

MOST_TRIALS = 100  # as on the command line
MOST_PHASE_S = 1_000_000.0  # more than eleven days
LONGEST_NAME = 100  # characters
# A row in memory takes some 800 bytes. Times hardly compress, so that an honest row takes more than a byte on disk; but
# counts of many phases do: 94,136 rows of a cluster's statistics took 63,533 bytes. By this rule 200 kB of Parquet cost
# at most some 320 MB.
MOST_ROWS, ROWS_ANYWAY, ROWS_A_BYTE = 10_000_000, 200_000, 1
MOST_BYTES, BYTES_ANYWAY, BYTES_A_BYTE = 4_000_000_000, 64_000_000, 100  # uncompressed, and of texts


def refuse_links(folder: Path) -> None:
    """Raise RecordError where anything in a run's folder is neither a file nor a folder: we would read or write it."""
    for entry in _entries(folder):
        if entry.is_symlink() or not (entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False)):
            what = "a link" if entry.is_symlink() else "neither a file nor a folder"
            raise RecordError(f"{entry.path}: is {what}, which no run of the lab has; do not trust this run")


def _entries(folder: Path | str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            found = list(entries)
    except FileNotFoundError:  # removed meanwhile
        return
    for entry in found:
        yield entry
        if entry.is_dir(follow_symlinks=False):
            yield from _entries(entry.path)


def check(file: Path, record: Record) -> None:
    """Raise RecordError where a name of a record is no part of a path, or a number of it asks for endless work."""
    for what, name in _names(record):
        if not _is_part(name):
            raise RecordError(
                f"{file}: {what} {name[:LONGEST_NAME]!r} cannot be part of a file's name; the run was edited"
            )
    if record.trials > MOST_TRIALS or any(episode.trial > MOST_TRIALS for episode in record.episodes):
        raise RecordError(f"{file}: it has more than {MOST_TRIALS} trials; the run was edited")
    for phase in record.spec.phases:
        if not (math.isfinite(phase.lasts_s) and phase.lasts_s <= MOST_PHASE_S):
            raise RecordError(f"{file}: its phase {phase.name} lasts {phase.lasts_s:g} s; the run was edited")


def _names(record: Record) -> Iterator[tuple[str, str]]:
    spec = record.spec
    yield "its scenario", spec.name
    yield "its id", record.run
    yield from (("its variant", variant.name) for variant in spec.variants)
    yield from (("its phase", phase.name) for phase in spec.phases)
    yield from (("its member", member.name) for member in spec.members)
    yield from (("a claim's variant", claim.variant) for claim in spec.claims if claim.variant)
    yield from (("a claim's phase", claim.phase) for claim in spec.claims if claim.phase)
    yield from (("a profiled member", name) for name in spec.profile)
    yield from (("an episode's variant", episode.variant) for episode in record.episodes)


def _is_part(name: str) -> bool:
    """Whether a text is one plain part of a path, on any system."""
    return (
        0 < len(name) <= LONGEST_NAME and name not in (".", "..") and name.isprintable() and not set(name) & set("/\\")
    )


def check_size(file: Path, parquet: pq.ParquetFile) -> None:
    """Raise RecordError where a table would be far larger in memory than on disk; nothing but its end is read yet."""
    on_disk, found = file.stat().st_size, parquet.metadata
    most = min(MOST_ROWS, ROWS_ANYWAY + ROWS_A_BYTE * on_disk)
    if found.num_rows > most:
        raise RecordError(
            f"{file}: has {found.num_rows:,} rows in {on_disk:,} bytes (at most {most:,} are read); the run was edited"
        )
    size = sum(found.row_group(number).total_byte_size for number in range(found.num_row_groups))
    _check_bytes(file, size, on_disk)


def check_texts(file: Path, table: pa.Table, before: int = 0) -> int:
    """How many bytes the texts of columns that are dictionaries take written out, on top of those `before`.

    Raises RecordError where that is too much.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    size = before
    for column in table.columns:
        if pa.types.is_dictionary(column.type):
            for chunk in column.chunks:
                lengths = pc.binary_length(chunk.dictionary).cast(pa.int64())
                size += pc.sum(lengths.take(chunk.indices)).as_py() or 0
    _check_bytes(file, size, file.stat().st_size)
    return size


def check_values(file: Path, table: pa.Table, never_null: Collection[str]) -> None:
    """Raise RecordError where values that every row has are missing, a time is no number, or labels are not JSON."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for name in table.column_names:
        column = table[name]
        if name in never_null and column.null_count:
            raise RecordError(f"{file}: lacks values of {name}; the run is damaged or was edited")
        if name.endswith(("_s", "_ms")) and not pc.all(pc.is_finite(column), min_count=0).as_py():
            raise RecordError(f"{file}: {name} holds what is no number; the run is damaged or was edited")
        if name == "labels":
            for text in pc.unique(column.cast(pa.string())).to_pylist():
                _check_labels(file, text)


def _check_labels(file: Path, text: str) -> None:
    try:
        msgspec.json.decode(text, type=dict[str, str])
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise RecordError(f"{file}: labels {text[:LONGEST_NAME]!r} are no JSON object of texts") from error


def _check_bytes(file: Path, size: int, on_disk: int) -> None:
    most = min(MOST_BYTES, BYTES_ANYWAY + BYTES_A_BYTE * on_disk)
    if size > most:
        raise RecordError(
            f"{file}: its {on_disk:,} bytes would be {size:,} in memory (at most {most:,} are read); the run was edited"
        )
