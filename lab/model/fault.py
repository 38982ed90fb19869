"""A fault as every file below `lab/faults` makes one, and what the canary has to know of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lab.model.typed import Typed

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from lab.model.bench import Bench
    from lab.model.dose import Dose, Probe
    from lab.model.parts import Disk, Link, Member, Scalar, Service


@dataclass(frozen=True)
class ProbeShape:
    """What the canary's probes must be like to show a fault, where the usual ones could not.

    Each asks with at least `sends_bytes` and waits `timeout_s` for the first of the answer, for the `whole` of it, or
    for the `close` that follows.
    """

    timeout_s: float = 1.0
    sends_bytes: int = 0
    until: Literal["answer", "whole", "close"] = "answer"


@dataclass(frozen=True)
class Sign:
    """What a probe shows of a fault that is in, so that one that is still in, or never was, can be told.

    An answer that comes at least `late_ms` later than it would, or (None) no answer. With a `share` below 1 only that
    share of probes shows it.
    """

    late_ms: float | None = None
    share: float = 1.0


@dataclass(frozen=True)
class Takes:
    """How much longer than a toxic a fault may take to go in and to come out, in seconds, and why.

    What takes longer than this and the share of the phase that each fault has was not in force as asked.
    """

    in_s: float = 0.0
    out_s: float = 0.0
    why: str = ""


class Fault(Typed):
    """Something that breaks, and unbreaks itself. One file below `lab/faults/` each; `noop.py` is the model.

    Subclasses are frozen dataclasses with units in their field names.
    """

    @property
    def targets(self) -> tuple[Link | Member, ...]:
        """What it attaches to; a canary runs at each. Empty where nothing is touched."""
        raise NotImplementedError

    @property
    def where(self) -> str:
        """What it attaches to, by name, as a record keeps it."""
        return ", ".join(target.name for target in self.targets)

    @property
    def probe(self) -> ProbeShape:
        """The probes that can show it."""
        return ProbeShape()

    @property
    def sign(self) -> Sign:
        """What shows that it is in: no answer, unless it says otherwise."""
        return Sign()

    @property
    def takes(self) -> Takes:
        """How long it may take to go in and out: no longer than a toxic, unless it says otherwise."""
        return Takes()

    @property
    def barriers(self) -> Mapping[Service, str]:
        """The point of each service that it waits for (targets/kit/barriers.py); such a service has BARRIERS=on."""
        return {}

    @property
    def disks(self) -> tuple[Member, ...]:
        """Members whose data it needs on a disk of the lab's own, in every phase and variant (lab.disk)."""
        return ()

    @property
    def watched_disks(self) -> tuple[Disk, ...]:
        """Disks at which a canary runs, since what it does to them shows in a sync."""
        return ()

    @property
    def starts_again_at_the_end(self) -> bool:
        """Whether its phase's end starts a process; the next phase's faults wait until that process answers."""
        return False

    @property
    def candidates(self) -> Sequence[Fault]:
        """The faults that `resolve` may give."""
        return (self,)

    async def resolve(self, bench: Bench) -> Fault:
        """The fault to inject: itself, but for one whose targets only the running system can tell."""
        return self

    @property
    def text(self) -> str:
        """The fault in a few words, as it stands on a chart: `payments silent`."""
        raise NotImplementedError

    def inject(self, bench: Bench) -> AbstractAsyncContextManager[Mapping[str, Scalar]]:
        """Break it on entry and mend it on exit, always; gives what was read back as proof."""
        raise NotImplementedError

    def dose(self, probes: Sequence[Probe]) -> Dose:
        """Judge whether it was in force from the probes begun while it was: after it was in, before undoing; pure."""
        raise NotImplementedError
