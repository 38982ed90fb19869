"""Operations of a record as operations on registers, one register a key."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

from lab.checkers._wing_gong import Op, Value
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

    def kind(self, operation: str) -> str | None:
        """Which of read, write and swap an operation is, by the first word of its name; None for another."""
        first = operation.partition(" ")[0].lower()
        return {self.read.lower(): "read", self.write.lower(): "write", self.swap.lower(): "swap"}.get(first)


def registers(operations: Operations, words: Words) -> tuple[dict[str, list[Op]], list[str]]:
    """
    Operations by key, and why those of other keys cannot be told.

    Operations without a key, and those that surely did nothing or saw nothing, are left out. A key is left out whole
    where an operation on it is none that the words name, or has a value or an answer that cannot be read. Values that
    are equal have one text (`lab.record.values`).
    """
    found: dict[str, list[Op]] = {}
    unreadable: dict[str, str] = {}
    for at in range(len(operations)):
        key = operations.key[at]
        if key is None:
            continue
        of_key = found.setdefault(str(key), [])
        if str(key) in unreadable:
            continue
        try:
            op = _read(operations, at, words)
        except Unreadable as wrong:
            unreadable[str(key)] = str(wrong)
            continue
        if op is not None:
            of_key.append(op)
    return {key: ops for key, ops in found.items() if key not in unreadable}, list(unreadable.values())


def _read(operations: Operations, at: int, words: Words) -> Op | None:
    kind = words.kind(str(operations.operation[at]))
    if kind is None:
        known = ", ".join(word for word in (words.read, words.write, words.swap) if word)
        name, key = operations.operation[at], operations.key[at]
        raise Unreadable(f'operation {operations.n[at]} "{name}" touches key {key}; its first word is none of {known}')
    return _op(operations, at, kind, words)


def _op(operations: Operations, at: int, kind: str, words: Words) -> Op | None:
    outcome = operations.outcome[at]
    end_s = float(operations.end_s[at])
    certain = outcome == "ok" and not math.isnan(end_s)
    if outcome == "fail" or (kind == "read" and not certain):
        return None
    n, start_s, value = int(operations.n[at]), float(operations.start_s[at]), operations.value[at]
    end_s = end_s if certain else math.inf
    if kind == "read":
        return Op(n, start_s, end_s, "read", sees=text_of(_field(operations, at, words.at)))
    if value is None:
        raise Unreadable(f"operation {n} changes a key and has no `value`: its request must say what it writes")
    if kind == "write":
        return Op(n, start_s, end_s, "write", sets=text_of(value), certain=certain)
    sees, sets = _pair(n, str(value))
    if certain:
        swapped = _field(operations, at, words.swapped)
        if not isinstance(swapped, bool):
            raise Unreadable(
                f'operation {n} answers "{words.swapped}": {swapped!r:.100}, which is neither true nor false'
            )
        if not swapped:
            return Op(n, start_s, end_s, "unlike", sees=sees)
    return Op(n, start_s, end_s, "swap", sees, sets, certain)


def _field(operations: Operations, at: int, name: str) -> object:
    n, response = int(operations.n[at]), operations.response[at]
    if response is None:
        raise Unreadable(f"operation {n} has no response in the record: its request needs `keep_response=True`")
    try:
        content = json.loads(response)
    except (ValueError, RecursionError):
        raise Unreadable(f"the response of operation {n} is no JSON (or was cut off at 4 kB)") from None
    if not isinstance(content, dict) or name not in content:
        raise Unreadable(f'the response of operation {n} has no field "{name}"')
    return content[name]


def _pair(n: int, value: str) -> tuple[Value, Value]:
    try:
        pair = json.loads(value)
    except (ValueError, RecursionError):
        pair = None
    if not isinstance(pair, list) or len(pair) != 2:
        raise Unreadable(f'operation {n} swaps {value!r:.100}: its `value` must be JSON, ["expected", "new"]')
    return text_of(pair[0]), text_of(pair[1])
