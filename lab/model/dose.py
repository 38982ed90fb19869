"""What the canary saw of a fault, and what that says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ProbeOutcome = Literal["answered", "refused", "reset", "timeout", "error"]


@dataclass(frozen=True)
class Probe:
    """One canary probe: `through` the link's proxy or `beside` it. latency_ms is None unless it was answered."""

    target: str
    path: Literal["through", "beside"]
    at_s: float
    outcome: ProbeOutcome
    latency_ms: float | None = None


@dataclass(frozen=True)
class Dose:
    """What was asked of a fault and what arrived, in words with units, and whether that counts as in force."""

    asked: str
    observed: str
    in_force: bool
    why: str = ""
