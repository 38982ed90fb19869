"""A callee that takes connections and never answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from lab.bench import Bench
from lab.faults.kit.dose import link_dose, stays_silent
from lab.faults.kit.inject import both_ways, toxics
from lab.model import Fault, Link, Scalar
from lab.record import Dose, Probe


@dataclass(frozen=True)
class Silence(Fault):
    """All bytes are dropped, both ways: connections open and new ones alike hear nothing, and nobody closes them.

    The callee never sees the requests. Connections of that time are closed when it ends.
    """

    link: Link

    @property
    def targets(self) -> tuple[Link]:
        """The link."""
        return (self.link,)

    @property
    def text(self) -> str:
        """`payments silent`."""
        return f"{self.link.callee.name} silent"

    def inject(self, bench: Bench) -> AbstractAsyncContextManager[Mapping[str, Scalar]]:
        """Add a timeout toxic without end to both streams, remove both on exit."""
        return toxics(bench, self.text, {self.link: both_ways("timeout", timeout=0)})

    def dose(self, probes: Sequence[Probe]) -> Dose:
        """In force where no probe through the link was answered or closed, while those beside it were answered."""
        return link_dose(f"{self.text}: no answer through the link", probes, self.link, stays_silent)


silence = Silence
