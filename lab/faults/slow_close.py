"""Connections that take long to close."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from lab.faults.kit.bounds import whole
from lab.faults.kit.dose import NOISE_MS, about, later_dose
from lab.faults.kit.inject import toxic, toxics
from lab.faults.kit.window import window
from lab.model import Fault, Link, ProbeShape, Scalar, Sign
from lab.model.bench import Bench
from lab.record import Dose, Probe


@dataclass(frozen=True)
class SlowClose(Fault):
    """The caller hears of the callee's closing `ms` later; answers come in time.

    It shows with callers that wait for the close, and fills the tables of those that count connections.
    """

    link: Link
    ms: int

    def __post_init__(self) -> None:
        whole("slow_close", "ms", self.ms, 1)

    @property
    def targets(self) -> tuple[Link]:
        """The link."""
        return (self.link,)

    @property
    def text(self) -> str:
        """`payments closes 200 ms late`."""
        return f"{self.link.callee.name} closes {self.ms} ms late"

    @property
    def probe(self) -> ProbeShape:
        """Probes that wait for the close after their answer."""
        return ProbeShape(timeout_s=1 + self.ms / 1000, until="close")

    @property
    def sign(self) -> Sign:
        """A close that is late."""
        return Sign(self.ms)

    def inject(self, bench: Bench) -> AbstractAsyncContextManager[Mapping[str, Scalar]]:
        """Add the toxic to what the callee sends, remove it on exit."""
        return toxics(bench, self.text, {self.link: [toxic("slow_close", delay=self.ms)]})

    def dose(self, probes: Sequence[Probe]) -> Dose:
        """In force where connections through the link were closed that much later than those beside it."""
        seen = window(probes, self.link, takes_s=self.ms / 1000)
        asked = f"{self.text}: the close after an answer comes later by that"
        least_ms, most_ms = about(self.ms)
        if least_ms <= 0:  # so short a delay cannot be told from none, but from a long one
            return later_dose(asked, seen, -NOISE_MS, most_ms)
        return later_dose(asked, seen, least_ms, most_ms)


slow_close = SlowClose
