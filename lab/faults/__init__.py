"""
Faults for scenario files: `from lab import faults`, then `faults.silence(link)`.

One file a fault; what they share is in `kit/`. Each name below is the one that its file ends with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from lab.faults.at import at
from lab.faults.bandwidth import bandwidth
from lab.faults.down import down
from lab.faults.flaky import flaky
from lab.faults.kill import kill
from lab.faults.latency import latency
from lab.faults.noop import noop
from lab.faults.partition import partition
from lab.faults.pause import pause
from lab.faults.reset import reset
from lab.faults.restart import restart
from lab.faults.silence import silence
from lab.faults.slice import slice  # noqa: A004 - called as `faults.slice`
from lab.faults.slow import slow
from lab.faults.slow_close import slow_close
from lab.faults.truncate import truncate
from lab.model import Fault, Link, Scalar
from lab.record import FaultSpec

__all__ = [
    "at",
    "bandwidth",
    "down",
    "flaky",
    "kill",
    "latency",
    "noop",
    "partition",
    "pause",
    "reset",
    "restart",
    "silence",
    "slice",
    "slow",
    "slow_close",
    "spec",
    "truncate",
]


def told(fault: Fault, links: Sequence[Link]) -> str:
    """The fault in a few words; where several links lead to its callee, with the caller: `exchange→payments silent`."""
    for link in fault.targets:
        several = isinstance(link, Link) and sum(other.callee == link.callee for other in links) > 1
        if isinstance(link, Link) and several and fault.text.startswith(f"{link.callee.name} "):
            return f"{link.caller.name}→{fault.text}"
    return fault.text


def spec(fault: Fault, links: Sequence[Link] = ()) -> FaultSpec:
    """The fault as plain data: its file's name, what it attaches to, its text, its numbers with their units.

    `links` are the scenario's, so that the text can tell them apart.
    """
    args: dict[str, Scalar] = {}
    for one in fields(fault):  # type: ignore[arg-type]  # every fault is a dataclass; a test holds it
        value = getattr(fault, one.name)
        if isinstance(value, str | int | float | bool):
            args[one.name] = value
    kind = type(fault).__module__.rpartition(".")[2]
    return FaultSpec(kind, fault.where, told(fault, links), args)
