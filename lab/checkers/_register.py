"""Operations of a record as operations on registers, one register a key."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

from lab.checkers._wing_gong import Op, Value
from lab.record import Operations


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


def registers(operations: Operations, words: Words) -> dict[str, list[Op]]:
    """
    Operations by key; those without one, and those that surely did nothing or saw nothing, are left out.

    Raises Unreadable where an operation on a key is none that the words name, or its value or answer can't be read.
    """
    found: dict[str, list[Op]] = {}
    for at in range(len(operations)):
        key = operations.key[at]
        if key is None:
            continue
        of_key = found.setdefault(str(key), [])
        kind = words.kind(str(operations.operation[at]))
        if kind is None:
            known = f"{words.read}, {words.write} or {words.swap}"
            raise Unreadable(f'"{operations.operation[at]}" touches key {key} and its first word is none of {known}')
        op = _op(operations, at, kind, words)
        if op is not None:
            of_key.append(op)
    return found


def _op(operations: Operations, at: int, kind: str, words: Words) -> Op | None:
    outcome = operations.outcome[at]
    end_s = float(operations.end_s[at])
    certain = outcome == "ok" and not math.isnan(end_s)
    if outcome == "fail" or (kind == "read" and not certain):
        return None
    n, start_s, value = int(operations.n[at]), float(operations.start_s[at]), operations.value[at]
    end_s = end_s if certain else math.inf
    if kind == "read":
        return Op(n, start_s, end_s, "read", sees=_text(_field(operations, at, words.at)))
    if value is None:
        raise Unreadable(f"operation {n} changes a key and has no `value`: its request must say what it writes")
    if kind == "write":
        return Op(n, start_s, end_s, "write", sets=str(value), certain=certain)
    sees, sets = _pair(n, str(value))
    if certain and _field(operations, at, words.swapped) is not True:
        return Op(n, start_s, end_s, "unlike", sees=sees)
    return Op(n, start_s, end_s, "swap", sees, sets, certain)


def _field(operations: Operations, at: int, name: str) -> object:
    n, response = int(operations.n[at]), operations.response[at]
    if response is None:
        raise Unreadable(f"operation {n} has no response in the record: its request needs `keep_response=True`")
    try:
        content = json.loads(response)
    except ValueError:
        raise Unreadable(f"the response of operation {n} is no JSON (or was cut off at 4 kB)") from None
    if not isinstance(content, dict) or name not in content:
        raise Unreadable(f'the response of operation {n} has no field "{name}"')
    return content[name]


def _pair(n: int, value: str) -> tuple[Value, Value]:
    try:
        sees, sets = json.loads(value)
    except ValueError:
        raise Unreadable(f'operation {n} swaps {value!r}: its `value` must be JSON, ["expected", "new"]') from None
    return _text(sees), _text(sets)


def _text(value: object) -> Value:
    return None if value is None else str(value)
