"""
The engine of the lab, and the few names that a scenario author imports.

The names are imported when first used: the fault proxy, the leash and the load generator are `lab.*` modules too,
start many times in a run, and need none of them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab import checkers, faults, metrics, workloads
    from lab.model import (
        Backing,
        Claim,
        Exercise,
        Invariant,
        Link,
        Load,
        Operation,
        Panel,
        Peers,
        Phase,
        Readback,
        Request,
        Role,
        Scenario,
        Service,
        Variant,
    )

__all__ = [
    "Backing",
    "Claim",
    "Exercise",
    "Invariant",
    "Link",
    "Load",
    "Operation",
    "Panel",
    "Peers",
    "Phase",
    "Readback",
    "Request",
    "Role",
    "Scenario",
    "Service",
    "Variant",
    "checkers",
    "faults",
    "metrics",
    "workloads",
]

_ROOMS = ("checkers", "faults", "metrics", "workloads")


def __getattr__(name: str) -> object:
    if name in _ROOMS:
        return importlib.import_module(f"lab.{name}")
    if name in __all__:
        return getattr(importlib.import_module("lab.model"), name)
    raise AttributeError(f"module 'lab' has no attribute {name!r}")
