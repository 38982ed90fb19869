"""How a checking function becomes what scenario files call: the same arguments but the history, which give a Check."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from inspect import signature
from typing import Concatenate, ParamSpec, get_type_hints

from lab.checkers.history import Finding, History
from lab.errors import WordError
from lab.model import Check, Readback, Scalar
from lab.model.typed import bind, shown, wrong_type

P = ParamSpec("P")
Readbacks = Readback | Sequence[Readback] | str  # scenarios give the objects, records `a, b`


def called(function: Callable[Concatenate[History, P], Finding]) -> Callable[P, Check]:
    """Turn `check(history, **args)` into the function that scenario files call.

    The Check has the arguments that are given, as plain values: a readback its name, several `a, b`. Raises WordError
    where they are not those of the checker.
    """
    name, hints = function.__name__, get_type_hints(function)
    history_first = signature(function)
    asked = history_first.replace(parameters=list(history_first.parameters.values())[1:])

    @wraps(function)
    def factory(*args: P.args, **kwargs: P.kwargs) -> Check:
        given = {
            key: value
            for key, value in bind(f"checkers.{name}", asked, args, kwargs).arguments.items()
            if value is not None
        }
        for key, value in given.items():
            if wrong := wrong_type(value, hints[key], key):
                raise WordError(f"checkers.{name}: {wrong}")
        return Check(name, {key: _scalar(name, key, value) for key, value in given.items()})

    factory.__dict__["__signature__"] = asked.replace(return_annotation=Check)
    return factory


def names_of(readbacks: Readbacks) -> str:
    """The name of a readback, or of several: `a, b`."""
    if isinstance(readbacks, str):
        return readbacks
    return ", ".join(each.name for each in ([readbacks] if isinstance(readbacks, Readback) else readbacks))


def listed(readbacks: Readbacks) -> list[str]:
    """The names of readbacks, one by one."""
    return [each.strip() for each in names_of(readbacks).split(",")]


def _scalar(name: str, key: str, value: object) -> Scalar:
    if isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, Readback):
        return value.name
    if isinstance(value, Sequence) and value and all(isinstance(each, Readback) for each in value):
        return names_of(value)
    raise WordError(f"checkers.{name}: {key} is {shown(value)}; it takes text, a number or readbacks")
