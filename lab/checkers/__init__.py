"""
Checkers: operation history in, verdict out; pure, one a file.

A checker file defines one public function of the file's name, `(history, **args) -> Finding`. A scenario calls it
without the history, `Invariant("no trade is charged twice", checkers.exactly_once(charges))`, where `charges` is a
readback: that gives a Check, which is run later, with the record. Its two lines below let editors and mypy know it.

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

from lab.checkers._call import called
from lab.checkers.acknowledged_stay import acknowledged_stay as _acknowledged_stay
from lab.checkers.agreement import agreement as _agreement
from lab.checkers.all_received import all_received as _all_received
from lab.checkers.as_expected import as_expected as _as_expected
from lab.checkers.as_published import as_published as _as_published
from lab.checkers.bounded_staleness import bounded_staleness as _bounded_staleness
from lab.checkers.conserved import conserved as _conserved
from lab.checkers.converged import converged as _converged
from lab.checkers.exactly_once import exactly_once as _exactly_once
from lab.checkers.history import Finding, History
from lab.checkers.in_order import in_order as _in_order
from lab.checkers.linearizable import linearizable as _linearizable
from lab.checkers.log_matching import log_matching as _log_matching
from lab.checkers.no_add_lost import no_add_lost as _no_add_lost
from lab.checkers.no_lost_update import no_lost_update as _no_lost_update
from lab.checkers.one_leader_a_term import one_leader_a_term as _one_leader_a_term
from lab.checkers.one_stays import one_stays as _one_stays
from lab.checkers.recovered import recovered as _recovered
from lab.checkers.regular_register import regular_register as _regular_register
from lab.checkers.serial_leaves import serial_leaves as _serial_leaves
from lab.checkers.session import session as _session
from lab.model import Scalar

acknowledged_stay = called(_acknowledged_stay)
agreement = called(_agreement)
all_received = called(_all_received)
as_expected = called(_as_expected)
as_published = called(_as_published)
bounded_staleness = called(_bounded_staleness)
conserved = called(_conserved)
converged = called(_converged)
exactly_once = called(_exactly_once)
in_order = called(_in_order)
linearizable = called(_linearizable)
log_matching = called(_log_matching)
no_add_lost = called(_no_add_lost)
no_lost_update = called(_no_lost_update)
one_leader_a_term = called(_one_leader_a_term)
one_stays = called(_one_stays)
recovered = called(_recovered)
regular_register = called(_regular_register)
serial_leaves = called(_serial_leaves)
session = called(_session)

Checker = Callable[..., Finding]

_NOT_CHECKERS = {"history"}


@cache
def names() -> tuple[str, ...]:
    """Every checker there is: the files of this folder."""
    found = (module.name for module in pkgutil.iter_modules(__path__))
    return tuple(sorted(name for name in found if name not in _NOT_CHECKERS and not name.startswith("_")))


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
