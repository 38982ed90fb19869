"""A line too thin for what should go over it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from lab.faults.kit.bounds import whole
from lab.faults.kit.dose import NOISE_MS, about, blind_dose, later_dose, link_dose, stays_silent
from lab.faults.kit.inject import both_ways, toxics
from lab.faults.kit.window import window
from lab.model import Fault, Link, ProbeShape, Scalar, Sign
from lab.model.bench import Bench
from lab.observe.ping import can_pad
from lab.record import Dose, Probe

PROBE_TAKES_MS = 200  # long enough to be measured, short enough that probes do not fill the line
MOST_BYTES = 12_000  # HAProxy takes the least of those probed: 15 kB of headers
REST_BYTES = 1_000  # the rest of a question and its answer, at most


@dataclass(frozen=True)
class Bandwidth(Fault):
    """Each connection carries so much a second (1 kilobyte is 1,000 bytes) each way, and no more.

    0 holds everything back; nothing is lost, and all of it comes when the fault ends.
    """

    link: Link
    kilobytes_per_s: int

    def __post_init__(self) -> None:
        whole("bandwidth", "kilobytes_per_s", self.kilobytes_per_s, 0)

    @property
    def targets(self) -> tuple[Link]:
        """The link."""
        return (self.link,)

    @property
    def text(self) -> str:
        """`payments at 100 kB/s`."""
        return f"{self.link.callee.name} at {self.kilobytes_per_s:,} kB/s"

    @property
    def probe(self) -> ProbeShape:
        """Probes that ask with as much as the line carries in 200 ms."""
        if not self.kilobytes_per_s or not can_pad(self.link.callee):
            return ProbeShape()
        sends_bytes = min(MOST_BYTES, self.kilobytes_per_s * PROBE_TAKES_MS)
        return ProbeShape(1 + 2 * self._takes_ms(sends_bytes + REST_BYTES) / 1000, sends_bytes)

    @property
    def sign(self) -> Sign:
        """No answer from a line that carries nothing; else one as late as the line makes it."""
        return Sign(self._takes_ms(self.probe.sends_bytes)) if self.kilobytes_per_s else Sign()

    def inject(self, bench: Bench) -> AbstractAsyncContextManager[Mapping[str, Scalar]]:
        """Add the toxic to both streams, remove both on exit."""
        return toxics(bench, self.text, {self.link: both_ways("bandwidth", rate=self.kilobytes_per_s)})

    def dose(self, probes: Sequence[Probe]) -> Dose:
        """In force where a probe of known size took as much longer through the link as that rate makes it."""
        asked = f"{self.text}: no connection carries more, either way"
        if not self.kilobytes_per_s:
            return link_dose(f"{self.text}: nothing passes", probes, self.link, stays_silent)
        sends_bytes = self.probe.sends_bytes
        seen = window(probes, self.link, takes_s=self._takes_ms(sends_bytes + REST_BYTES) / 1000)
        least_ms = self._takes_ms(sends_bytes)
        if least_ms < NOISE_MS:
            size = f"{sends_bytes:,} bytes" if sends_bytes else "a few bytes, all this server can be asked,"
            return blind_dose(asked, seen, f"probes of {size} are too small to show that rate")
        most_ms = about(self._takes_ms(sends_bytes + REST_BYTES))[1]
        return later_dose(f"{asked}; probes of {sends_bytes:,} bytes", seen, about(least_ms)[0], most_ms)

    def _takes_ms(self, size_bytes: int) -> float:
        return size_bytes / self.kilobytes_per_s  # kB/s are bytes/ms


bandwidth = Bandwidth
