"""
The engine of the lab, and the few names that a scenario author imports.

The names are imported when first used: the fault proxy, the leash and the load generator are `lab.*` modules too,
start many times in a run, and need none of them.
"""

TYPE_CHECKING = False  # typing takes 20 ms to import, in which a Ctrl-C would find no `except` of __main__ yet
if TYPE_CHECKING:
    from lab import actions, checkers, faults, metrics
    from lab.model import (
        Backing,
        Claim,
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
        workloads,
    )

__all__ = [
    "Backing",
    "Claim",
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
    "actions",
    "checkers",
    "faults",
    "metrics",
    "workloads",
]

_ROOMS = {name: f"lab.{name}" for name in ("actions", "checkers", "faults", "metrics")} | {
    "workloads": "lab.model.workloads"
}


def __getattr__(name: str) -> object:
    import importlib

    if name in _ROOMS:
        return importlib.import_module(_ROOMS[name])
    if name in __all__:
        return getattr(importlib.import_module("lab.model"), name)
    raise AttributeError(f"module 'lab' has no attribute {name!r}")
