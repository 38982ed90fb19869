"""An episode before it begins: what one variant starts, tells its members, and goes through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

from lab.model import Env, Fault, Link, Member, Phase, Scenario, Service, Variant
from lab.model.optional import links_of, members_of


@dataclass(frozen=True)
class EpisodePlan:
    """One variant of a scenario, resolved once: callees before their callers, the phases as long as they will last.

    The data of `disks` are on a disk of the lab's own.
    """

    variant: Variant
    members: Sequence[Member]
    links: Sequence[Link]
    env: Mapping[Member, Env]
    phases: Sequence[Phase]
    disks: Sequence[Member]

    @property
    def faults(self) -> list[Fault]:
        """Every fault of every phase."""
        return _faults(self.phases)

    @property
    def ends(self) -> list[tuple[str, float]]:
        """When each phase ends, in seconds since the load began."""
        ends_s = accumulate(phase.lasts_s for phase in self.phases)
        return [(phase.name, end_s) for phase, end_s in zip(self.phases, ends_s, strict=True)]

    @property
    def lasts_s(self) -> float:
        """When the last phase ends."""
        return self.ends[-1][1]


def plan_of(scenario: Scenario, variant: Variant, scale: float = 1.0) -> EpisodePlan:
    """The plan of one variant, its phases `scale` times as long as the scenario says."""
    members = members_of(scenario, variant)
    waited_for = {service for fault in _faults(scenario.phases) for one in fault.candidates for service in one.barriers}
    return EpisodePlan(
        variant,
        members,
        links_of(scenario, variant),
        {member: {**_engines(member, waited_for), **scenario.settings_of(member, variant)} for member in members},
        [_scaled(phase, scale) for phase in scenario.phases],
        [member for member in members if member in scenario.disks],
    )


def _scaled(phase: Phase, scale: float) -> Phase:
    """A phase `scale` times as long; what is done in it comes at the same part of it."""
    each: list[Any] = list(phase.actions)  # dataclasses, all of them
    actions = [replace(action, after_s=action.after_s * scale) for action in each]
    return Phase(phase.name, phase.lasts_s * scale, phase.faults, actions)


def _engines(member: Member, waited_for: set[Service]) -> Env:
    """What the engine itself tells a member: to let py-spy attach, and to stop at barriers."""
    profiled = {"ALLOW_PTRACE": 1} if isinstance(member, Service) else {}
    held = {"BARRIERS": 1} if member in waited_for else {}
    return {**profiled, **held}


def _faults(phases: Sequence[Phase]) -> list[Fault]:
    return [fault for phase in phases for fault in phase.faults]
