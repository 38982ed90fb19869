"""The words a scenario is written in: frozen, typed, and without any input or output."""

from __future__ import annotations

from lab.model.action import Action
from lab.model.claims import Check, Claim, Invariant, Metric, Panel, Readback
from lab.model.fault import Fault, ProbeShape, Sign, Takes
from lab.model.load import Load, MakeRequest, Mix, Operation, Request
from lab.model.parts import Backing, BackingKind, Disk, Env, Link, Member, Peers, Role, Scalar, Service
from lab.model.scenario import Phase, Scenario, Variant

__all__ = [
    "Action",
    "Backing",
    "BackingKind",
    "Check",
    "Claim",
    "Disk",
    "Env",
    "Fault",
    "Invariant",
    "Link",
    "Load",
    "MakeRequest",
    "Member",
    "Metric",
    "Mix",
    "Operation",
    "Panel",
    "Peers",
    "Phase",
    "ProbeShape",
    "Readback",
    "Request",
    "Role",
    "Scalar",
    "Scenario",
    "Service",
    "Sign",
    "Takes",
    "Variant",
]
