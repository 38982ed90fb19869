"""Pure: what a load worker says, decoded and held against its share before anything is done with it.

Workers join from other machines over a port without a password, so what comes may be anything.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from lab.load.forms import Beat, Row, worker_of

Counted = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class Here(msgspec.Struct, frozen=True):
    """It is there: what it speaks, on which machine, as which process."""

    protocol: int
    host: Annotated[str, Meta(min_length=1, max_length=255)]
    pid: Counted


class Time(msgspec.Struct, frozen=True):
    """Its clocks, in seconds."""

    steady_s: float
    wall_s: float


class Report(msgspec.Struct, frozen=True):
    """Lines of Row, how many they are, and one line of Beat."""

    rows: bytes
    count: Counted
    beat: bytes


class Done(msgspec.Struct, frozen=True):
    """It has told everything: so many rows in all."""

    recorded: Counted


class Nothing(msgspec.Struct, frozen=True):
    """A word that says all by its kind."""


class _Row(Row, array_like=True, gc=False):
    """A row as it may come."""

    n: Counted
    outcome: Literal["ok", "fail", "info"]
    status: Counted | None


Form = TypeVar("Form")
STRANGE = (ValueError, msgspec.MsgspecError, RecursionError)  # what decoding raises
_ROWS, _BEATS = msgspec.json.Decoder(_Row), msgspec.json.Decoder(Beat)


def take(data: Any, form: type[Form]) -> Form:
    """What a message says. Raises one of STRANGE."""
    return msgspec.convert({} if data is None else data, form, str_keys=True)


def rows_of(report: Report, worker: int, workers: int, given: Container[int]) -> list[int]:
    """The numbers of a report's operations, where all that it tells of is the worker's own. Else raises one of STRANGE.

    `given` has the numbers of operations that it was given and has not told of yet.
    """
    rows, beats = _ROWS.decode_lines(report.rows), _BEATS.decode_lines(report.beat)
    if len(rows) != report.count or len(beats) != 1 or not report.beat.endswith(b"\n"):
        raise ValueError(f"{len(rows)} operations and {len(beats)} counts where {report.count} and 1 were announced")
    if rows and not report.rows.endswith(b"\n"):
        raise ValueError("a line without an end")
    if beats[0].worker != worker:
        raise ValueError(f"counts of worker {beats[0].worker}")
    numbers = [row.n for row in rows]
    strange = [n for n in numbers if worker_of(n, workers) != worker or n not in given]
    if strange or len(set(numbers)) != len(numbers):
        raise ValueError(f"operation {(strange or numbers)[0]}: not its own, or reported twice")
    return numbers
