"""An experiment: its phases, its variants, and all that belongs to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lab.model.action import Action
from lab.model.claims import Claim, Invariant, Panel, Readback
from lab.model.fault import Fault
from lab.model.load import Load
from lab.model.parts import Env, Link, Member, Peers, Scalar, Service
from lab.model.typed import Typed


@dataclass(frozen=True)
class Phase(Typed):
    """A stretch of the run, in seconds, the faults in force for all of it, and the actions that are done in it."""

    name: str
    lasts_s: float
    faults: Sequence[Fault] = ()
    actions: Sequence[Action] = ()


@dataclass(frozen=True)
class Variant(Typed):
    """The same system with a pattern off or on: environment per service. The first variant is the control.

    A service or server that some variants name in `needs` is started for those alone. Where a server cannot be had
    they are left out, and the report says so; the control's servers must be there.

    A variant with the pattern on claims the work that it still does in each phase; `unclaimed` says, by phase, why it
    does not.
    """

    name: str
    env: Mapping[Member, Env] = field(default_factory=dict, hash=False)
    needs: Sequence[Member] = ()
    unclaimed: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Scenario(Typed):
    """One experiment. The file's docstring is its summary, the file's name its name, the .md beside it its page.

    `settings` is the environment that all variants share, by service or server; a variant's own goes before it.
    """

    title: str
    handbook: str | Sequence[str]
    question: str
    load: Load
    phases: Sequence[Phase]
    variants: Sequence[Variant]
    claims: Sequence[Claim]
    links: Sequence[Link] = ()
    services: Sequence[Service] = ()
    settings: Mapping[Member, Env] = field(default_factory=dict, hash=False)
    panels: Sequence[Panel] = ()
    invariants: Sequence[Invariant] = ()
    readbacks: Sequence[Readback] = ()
    profile: Sequence[Service] = ()

    @property
    def sections(self) -> tuple[str, ...]:
        """The handbook sections it serves, the main one first."""
        return (self.handbook,) if isinstance(self.handbook, str) else tuple(self.handbook)

    @property
    def members(self) -> tuple[Member, ...]:
        """Every service and backing server named anywhere, callees before their callers, each once."""
        callees: dict[Member | Peers, list[Member]] = {}
        for link in self.links:
            callees.setdefault(link.caller, []).append(link.callee)
        ordered: dict[Member, None] = {}
        begun: set[Member] = set()
        roots = [*(link.caller for link in self.links), *self.load.services, *self.services]
        waiting: list[Member] = [member for member in reversed(roots) if not isinstance(member, Peers)]
        while waiting:
            member = waiting[-1]
            if member not in begun:
                begun.add(member)
                waiting += [callee for callee in reversed(callees.get(member, [])) if callee not in begun]
            else:
                ordered.setdefault(waiting.pop())
        return tuple(ordered)

    @property
    def disks(self) -> tuple[Member, ...]:
        """Members of which a fault needs a disk of the lab's own; each disk counts as a service, by its name."""
        needed = {
            member
            for phase in self.phases
            for fault in phase.faults
            for one in fault.candidates
            for member in one.disks
        }
        return tuple(member for member in self.members if member in needed)

    @property
    def every_invariant(self) -> tuple[Invariant, ...]:
        """Those that belong to the load, and those that the experiment adds."""
        return (*self.load.invariants, *self.invariants)

    @property
    def every_readback(self) -> tuple[Readback, ...]:
        """Those that belong to the load, and those that the experiment adds."""
        return (*self.load.readbacks, *self.readbacks)

    def shared_settings(self, member: Member) -> dict[str, Scalar]:
        """What a member is told in every variant: what it always gets, and what this experiment sets."""
        own = member.env if isinstance(member, Service) else member.settings
        return {**own, **self.settings.get(member, {})}

    def settings_of(self, member: Member, variant: Variant) -> dict[str, Scalar]:
        """What a member is told in one variant."""
        return {**self.shared_settings(member), **variant.env.get(member, {})}

    @property
    def lasts_s(self) -> float:
        """Length of all phases of one variant."""
        return sum(phase.lasts_s for phase in self.phases)
