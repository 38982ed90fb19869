"""Connections that end in the middle of an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from lab.faults.kit.bounds import whole
from lab.faults.kit.dose import blind_dose, link_dose, mostly
from lab.faults.kit.inject import toxic, toxics
from lab.faults.kit.window import window
from lab.model import Fault, Link, ProbeShape, Scalar, Service
from lab.model.bench import Bench
from lab.observe.ping import ANSWER_BYTES
from lab.record import Dose, Probe


@dataclass(frozen=True)
class Truncate(Fault):
    """Each connection carries that many bytes from the callee, exactly, and is closed then, in the orderly way.

    The count is per connection, not per answer: a caller with a pool is cut off in one of its later answers.
    """

    link: Link
    after_bytes: int

    def __post_init__(self) -> None:
        whole("truncate", "after_bytes", self.after_bytes, 0)

    @property
    def targets(self) -> tuple[Link]:
        """The link."""
        return (self.link,)

    @property
    def text(self) -> str:
        """`payments cut off after 100 bytes`."""
        return f"{self.link.callee.name} cut off after {self.after_bytes:,} bytes"

    @property
    def probe(self) -> ProbeShape:
        """Probes that wait for the whole answer."""
        return ProbeShape(until="whole")

    def inject(self, bench: Bench) -> AbstractAsyncContextManager[Mapping[str, Scalar]]:
        """Add the toxic to what the callee sends, remove it on exit."""
        return toxics(bench, self.text, {self.link: [toxic("limit_data", bytes=self.after_bytes)]})

    def dose(self, probes: Sequence[Probe]) -> Dose:
        """In force where answers through the link were cut; where all are shorter than that, only passing is seen."""
        asked = f"{self.text}: connections closed in the middle of an answer"
        seen = window(probes, self.link)
        longer = isinstance(self.link.callee, Service) and self.after_bytes < ANSWER_BYTES
        if longer or self.after_bytes == 0 or seen.through.count("error") > len(seen.through) / 2:
            return link_dose(asked, probes, self.link, mostly("error"))
        return blind_dose(asked, seen, "the answers it gets are shorter than that and show no cut")


truncate = Truncate
