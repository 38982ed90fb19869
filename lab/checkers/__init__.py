"""
Checkers: operation history in, verdict out; pure, one a file.

A checker file defines one public function of the file's name, `(history, **args) -> Finding`, and a scenario asks
for it through `lab.checkers.ask`: `Invariant("no double charge", checkers.ask("charged_once", readback="charges"))`.

PASS says that what a checker is about happened often enough to show a violation, and that there was none: each says in
its docstring what it must have seen (`least`), and a scenario names the phases in which that must have happened
(`played_in="cut, killed"`). Too little of it is UNKNOWN, and so is an operation that cannot be read; a violation is
FAIL whatever else is missing.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from functools import cache
from inspect import signature

from lab.checkers.history import Finding, History
from lab.model import Check, Scalar

Checker = Callable[..., Finding]

_NOT_CHECKERS = {"history"}


@cache
def names() -> tuple[str, ...]:
    """Every checker there is: the files of this folder."""
    found = (module.name for module in pkgutil.iter_modules(__path__))
    return tuple(sorted(name for name in found if name not in _NOT_CHECKERS and not name.startswith("_")))


def ask(name: str, **args: Scalar) -> Check:
    """Ask for a checker by name; whether it exists is checked with the scenario."""
    return Check(name, args)


def checker(name: str) -> Checker:
    """The function of a checker. Raises KeyError where there is none of that name."""
    if name not in names():
        raise KeyError(name)
    found: Checker = getattr(importlib.import_module(f"{__name__}.{name}"), name)
    return found


def run(name: str, history: History, args: dict[str, Scalar]) -> Finding:
    """
    Run a checker over a history. Raises KeyError where there is none of that name, and nothing else.

    UNKNOWN, with the reason, where it does not take the arguments, and where it fails on what the history holds.
    """
    found = checker(name)
    try:
        signature(found).bind(history, **args)
    except TypeError as error:
        return Finding("UNKNOWN", f'checker "{name}" does not take these arguments: {error}')
    try:
        return found(history, **args)
    except Exception as error:  # a history may hold anything; a judgement is not to end for one invariant
        return Finding("UNKNOWN", f'checker "{name}" failed: {type(error).__name__}: {error}')
