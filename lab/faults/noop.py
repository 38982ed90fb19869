"""Nothing at all, put in with the same care: the model for a new fault, and a check of the lab itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from lab.faults.kit.dose import link_dose, passes
from lab.faults.kit.inject import toxic, toxics
from lab.model import Fault, Link, Scalar, Sign
from lab.model.bench import Bench
from lab.record import Dose, Probe


@dataclass(frozen=True)
class Noop(Fault):
    """A toxic that passes everything on. Whatever changes while it is in has another cause."""

    link: Link

    @property
    def targets(self) -> tuple[Link]:
        """The link."""
        return (self.link,)

    @property
    def text(self) -> str:
        """`payments untouched`."""
        return f"{self.link.callee.name} untouched"

    @property
    def sign(self) -> Sign:
        """None: a probe is as late as it would be without."""
        return Sign(0.0)

    def inject(self, bench: Bench) -> AbstractAsyncContextManager[Mapping[str, Scalar]]:
        """Add the toxic, remove it on exit."""
        return toxics(bench, self.text, {self.link: [toxic("noop")]})

    def dose(self, probes: Sequence[Probe]) -> Dose:
        """In force where the link answers as its callee does."""
        return link_dose(f"{self.text}: answers as before through the link", probes, self.link, passes)


noop = Noop
