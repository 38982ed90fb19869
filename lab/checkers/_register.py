"""Operations of a record as operations on registers, one register a key."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from lab.checkers._operation import Kind, Op, Value
from lab.record import Operations
from lab.record.values import text_of


class Unreadable(Exception):
    """An operation whose part in the history cannot be told: which one, and why."""


@dataclass(frozen=True)
class Words:
    """What the operations are called in the record, and where their answers say what was read or swapped."""

    read: str
    write: str
    swap: str
    at: str
    swapped: str
    append: str = ""

    def kinds(self) -> dict[str, Kind]:
        """What each word says, in lower case."""
        words: list[tuple[str, Kind]] = [(self.read, "read"), (self.write, "write"), (self.swap, "swap")]
        return {word.lower(): kind for word, kind in [*words, (self.append, "append")] if word}


class _Row(NamedTuple):
    """What the record holds of one operation."""

    n: int
    start_s: float
    end_s: float
    key: object
    operation: str
    outcome: str
    value: object
    response: str | None


def registers(operations: Operations, words: Words) -> tuple[dict[str, list[Op]], list[str]]:
    """
    Operations by key, and why those of other keys cannot be told.

    Operations without a key, and those that surely did nothing or saw nothing, are left out. A key is left out whole
    where an operation on it is none that the words name, or has a value or an answer that cannot be read. Values that
    are equal have one text (`lab.record.values`), but for keys that are appended to, where each character counts.
    """
    known = words.kinds()
    kinds = {name: known.get(str(name).partition(" ")[0].lower()) for name in set(operations.operation.tolist())}
    columns = (operations.n, operations.start_s, operations.end_s, operations.key, operations.operation)
    answers = (operations.outcome, operations.value, operations.response)
    rows = [_Row(*row) for row in zip(*(each.tolist() for each in (*columns, *answers)), strict=True)]
    grown = {str(row.key) for row in rows if kinds[row.operation] == "append"}
    found: dict[str, list[Op]] = {}
    unreadable: dict[str, str] = {}
    for row in rows:
        if row.key is None:
            continue
        key = str(row.key)
        of_key = found.setdefault(key, [])
        if key in unreadable:
            continue
        try:
            op = _op(row, kinds[row.operation], words, _as_it_is if key in grown else text_of)
        except Unreadable as wrong:
            unreadable[key] = str(wrong)
            continue
        if op is not None:
            of_key.append(op)
    return {key: ops for key, ops in found.items() if key not in unreadable}, list(unreadable.values())


def _as_it_is(value: object) -> Value:
    return value if value is None or isinstance(value, str) else text_of(value)


def _op(row: _Row, kind: Kind | None, words: Words, text: Callable[[object], Value]) -> Op | None:
    n, value = row.n, row.value
    if kind is None:
        named = ", ".join(words.kinds())
        raise Unreadable(f'operation {n} "{row.operation}" touches key {row.key}; its first word is none of {named}')
    certain = row.outcome == "ok" and not math.isnan(row.end_s)
    if row.outcome == "fail" or (kind == "read" and not certain):
        return None
    end_s = row.end_s if certain else math.inf
    if kind == "read":
        return Op(n, row.start_s, end_s, "read", sees=text(_field(row, words.at)))
    if value is None:
        raise Unreadable(f"operation {n} changes a key and has no `value`: its request must say what it writes")
    if kind == "write" or kind == "append":
        return Op(n, row.start_s, end_s, kind, sets=text(value), certain=certain)
    sees, sets = (text(each) for each in _pair(n, str(value)))
    if certain:
        swapped = _field(row, words.swapped)
        if not isinstance(swapped, bool):
            raise Unreadable(
                f'operation {n} answers "{words.swapped}": {swapped!r:.100}, which is neither true nor false'
            )
        if not swapped:
            return Op(n, row.start_s, end_s, "unlike", sees=sees)
    return Op(n, row.start_s, end_s, "swap", sees, sets, certain)


def _field(row: _Row, name: str) -> object:
    if row.response is None:
        raise Unreadable(f"operation {row.n} has no response in the record: its request needs `keep_response=True`")
    try:
        content = json.loads(row.response)
    except (ValueError, RecursionError):
        raise Unreadable(f"the response of operation {row.n} is no JSON (or was cut off at 4 kB)") from None
    if not isinstance(content, dict) or name not in content:
        raise Unreadable(f'the response of operation {row.n} has no field "{name}"')
    return content[name]


def _pair(n: int, value: str) -> tuple[object, object]:
    try:
        pair = json.loads(value)
    except (ValueError, RecursionError):
        pair = None
    if not isinstance(pair, list) or len(pair) != 2:
        raise Unreadable(f'operation {n} swaps {value!r:.100}: its `value` must be JSON, ["expected", "new"]')
    return pair[0], pair[1]
