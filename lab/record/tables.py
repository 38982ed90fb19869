"""The tables of a run: their columns. Kept apart from what only reads records, since Arrow takes a while to import."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_TEXT = pa.string()
_NAME = pa.dictionary(pa.int32(), pa.string())

OPERATIONS = pa.schema(
    [
        ("trial", pa.int32()),
        ("variant", _NAME),
        ("phase", _NAME),  # the phase it was due in
        ("n", pa.int32()),  # number of the arrival, the same in every variant of a trial
        ("due_s", pa.float64()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),  # null: never answered while anybody waited
        ("operation", _NAME),
        ("outcome", _NAME),  # ok | fail | info
        ("status", pa.int16()),  # null: no answer
        ("error", _NAME),  # null: none
        ("key", _TEXT),
        ("value", _TEXT),
        ("response", _TEXT),
        ("trace_id", _TEXT),
    ]
)
PROBES = pa.schema(
    [
        ("trial", pa.int32()),
        ("variant", _NAME),
        ("target", _NAME),
        ("path", _NAME),
        ("at_s", pa.float64()),
        ("outcome", _NAME),
        ("latency_ms", pa.float64()),
    ]
)
SNAPSHOTS = pa.schema(
    [
        ("trial", pa.int32()),
        ("variant", _NAME),
        ("at_s", pa.float64()),
        ("phase", _NAME),
        ("edge", _NAME),  # start | end of that phase
        ("service", _NAME),
        ("metric", _NAME),
        ("labels", _NAME),  # JSON, keys sorted
        ("value", pa.float64()),
    ]
)
SERIES = pa.schema(
    [
        ("trial", pa.int32()),
        ("variant", _NAME),
        ("panel", _NAME),
        ("series", _NAME),
        ("at_s", pa.float64()),
        ("value", pa.float64()),
    ]
)
NEVER_NULL = frozenset(
    (
        "trial",
        "variant",
        "n",
        "due_s",
        "operation",
        "outcome",
        "target",
        "path",
        "at_s",
        "edge",
        "service",
        "metric",
        "labels",
    )
)  # whatever the table
TABLES: Mapping[str, pa.Schema] = {
    "operations": OPERATIONS,
    "probes": PROBES,
    "snapshots": SNAPSHOTS,
    "series": SERIES,
}


def is_text(field: pa.Field) -> bool:
    """Whether a column is of texts that differ from row to row."""
    return bool(field.type.equals(_TEXT))


def column(table: pa.Table, name: str) -> NDArray[Any]:
    """One column as numpy: integers (null as 0), floats (null as NaN), or objects (null as None)."""
    values = table.column(name).combine_chunks()
    if pa.types.is_dictionary(values.type):  # each text once, however many rows have it
        texts = np.array([*values.dictionary.to_pylist(), None], dtype=object)
        return np.asarray(texts[values.indices.fill_null(len(texts) - 1).to_numpy()], dtype=object)
    if pa.types.is_integer(values.type):
        return np.asarray(values.fill_null(0).to_numpy(zero_copy_only=False), dtype=np.int64)
    if pa.types.is_floating(values.type):
        return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)
    return np.array(values.to_pylist(), dtype=object)
