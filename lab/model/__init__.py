"""The words a scenario is written in: frozen, typed, and without any input or output."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Literal

from lab.model.claims import Check, Claim, Invariant, Metric, Panel, Readback
from lab.model.fault import Fault, ProbeShape, Sign, Takes
from lab.model.parts import Backing, BackingKind, Env, Link, Member, Peers, Role, Scalar, Service
from lab.model.typed import Typed

__all__ = [
    "Backing",
    "BackingKind",
    "Check",
    "Claim",
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


@dataclass(frozen=True)
class Request(Typed):
    """One operation to send: what goes over HTTP, and what a checker needs to know about it.

    `body` is sent as JSON. `key` and `value` name what the operation touches and writes; `keep_response` keeps
    the first 4 kB of the answer's body in the record for checkers that must know what was read.
    """

    method: str
    path: str
    body: Mapping[str, object] | None = None
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)
    key: str | None = None
    value: str | None = None
    keep_response: bool = False


MakeRequest = Callable[[Random, int], Request]


@dataclass(frozen=True)
class Operation(Typed):
    """One kind of operation in a mix: `make(rng, n)` gives the request of the n-th arrival (n from 0).

    With `phases` it is sent in those alone (open model only).
    """

    name: str
    make: MakeRequest
    weight: float = 1.0
    phases: Sequence[str] = ()


Mix = str | Operation | Sequence[str | Operation]


@dataclass(frozen=True)
class Load(Typed):
    """What is asked of a service, or of several in turn, and when.

    Open model: `per_s` arrivals a second, `uniform` or `poisson`, each started when due whatever happened to
    those before. Closed model: `users`, each waiting for its answer and then `think_s`. A mix is one `"VERB /path"`,
    an `Operation`, or several of either.

    `readbacks` and `invariants` belong to the mix: a system's workload brings them along, so that no experiment that
    sends it forgets to check.
    """

    mix: Mix
    to: Service | Sequence[Service]
    per_s: float | None = None
    arrivals: Literal["uniform", "poisson"] = "uniform"
    users: int | None = None
    think_s: float = 0.0
    timeout_s: float = 10.0
    readbacks: Sequence[Readback] = ()
    invariants: Sequence[Invariant] = ()

    @property
    def is_open(self) -> bool:
        """Whether arrivals are scheduled (open model) rather than waiting for answers (closed)."""
        return self.per_s is not None

    @property
    def services(self) -> tuple[Service, ...]:
        """Whom it goes to: the n-th arrival (n from 0) to number n, and round again."""
        return (self.to,) if isinstance(self.to, Service) else tuple(self.to)

    @property
    def operations(self) -> tuple[Operation, ...]:
        """The mix, spelled out."""
        parts = [self.mix] if isinstance(self.mix, str | Operation) else list(self.mix)
        return tuple(part if isinstance(part, Operation) else _plain_operation(part) for part in parts)


def _plain_operation(text: str) -> Operation:
    method, _, path = text.partition(" ")
    return Operation(text, lambda rng, n: Request(method, path))


@dataclass(frozen=True)
class Phase(Typed):
    """A stretch of the run, in seconds, and the faults in force for all of it."""

    name: str
    lasts_s: float
    faults: Sequence[Fault] = ()


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
