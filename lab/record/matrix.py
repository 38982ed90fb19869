"""A matrix that is measured cell by cell: what an operation's answer says of its cell, and what was published of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

Prevented = Literal["no", "read-only", "yes"]
Relation = Literal["as published", "stronger", "weaker"]
_STRENGTH: Mapping[Prevented, int] = {"no": 0, "read-only": 1, "yes": 2}


class Script(msgspec.Struct, frozen=True):
    """A script as it was played: each step is who, what was said, and what came of it."""

    title: str
    happened: bool
    steps: list[tuple[str, str, str]]
    after: str


class Cell(msgspec.Struct, frozen=True):
    """One measurement of a cell; `title` is the column's in words, `scripts` show how it was measured."""

    row: str
    column: str
    prevented: Prevented
    title: str = ""
    scripts: list[Script] = []


def cell_in(response: str | None) -> Cell | None:
    """The cell that an answer is; None where it is none."""
    try:
        return msgspec.json.decode(response or "", type=Cell)
    except msgspec.DecodeError:
        return None


def published_in(value: str | None) -> dict[str, Prevented]:
    """What is published of a column, by row, as an operation's `value` has it; empty where nothing can be read."""
    try:
        return msgspec.json.decode(value or "", type=dict[str, Prevented])
    except msgspec.DecodeError:
        return {}


def relation(measured: Prevented, published: Prevented) -> Relation:
    """Whether a cell is what is published of it, or prevents more, or less."""
    if measured == published:
        return "as published"
    return "stronger" if _STRENGTH[measured] > _STRENGTH[published] else "weaker"
