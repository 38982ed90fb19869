"""Values as records and answers write them, as one text for all that are equal: `1`, `1.0` and `"1"` are one value."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal

_PLAIN_DIGITS = 40  # a longer number is written with an exponent
_DEEPEST = 50  # levels of a JSON value that are looked into


def text_of(value: object) -> str | None:
    """The text that stands for a value; None for null, which means that there is none.

    Equal are numbers of the same size (`1`, `1.0`, `1e0`), truth and 1, falsehood and 0, JSON objects and lists with
    equal members however they are spaced and ordered, and text that spells any of these with what it spells.
    """
    return None if value is None else _text(value, 0)


def _text(value: object, depth: int) -> str:
    if isinstance(value, str):
        return _spelled(value, depth)
    if isinstance(value, bool | int | float | Decimal):
        return _number(value)
    if depth >= _DEEPEST:
        return "..."
    if isinstance(value, Mapping):
        members = sorted((str(name), _text(member, depth + 1)) for name, member in value.items())
        return "{" + ", ".join(f"{json.dumps(name)}: {member}" for name, member in members) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(_text(member, depth + 1) for member in value) + "]"
    return "null" if value is None else str(value)


def _spelled(text: str, depth: int) -> str:
    if text.isascii() and text.isdigit() and (text[0] != "0" or text == "0"):
        return text
    if not text.lstrip(" \t\r\n").startswith(("-", "t", "f", "{", "[", *"0123456789")):
        return text
    try:
        found = json.loads(text, parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError):
        return text
    return text if isinstance(found, str) else _text(found, depth + 1)


def _number(value: bool | int | float | Decimal) -> str:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    sign, digits, exponent = exact.as_tuple()
    if not isinstance(exponent, int):
        return str(exact)
    kept = len(digits)
    while kept > 1 and digits[kept - 1] == 0:
        kept -= 1
    if digits[:kept] == (0,):
        return "0"
    exact = Decimal((sign, digits[:kept], exponent + len(digits) - kept))
    return f"{exact:f}" if abs(exact.adjusted()) < _PLAIN_DIGITS else str(exact)
