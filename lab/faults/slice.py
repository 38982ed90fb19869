"""Answers that come in small pieces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from lab.faults.kit.bounds import whole
from lab.faults.kit.dose import NOISE_MS, about, blind_dose, later_dose
from lab.faults.kit.inject import toxic, toxics
from lab.faults.kit.window import window
from lab.model import Fault, Link, ProbeShape, Scalar, Service, Sign
from lab.model.bench import Bench
from lab.observe.ping import ANSWER_BYTES
from lab.record import Dose, Probe


@dataclass(frozen=True)
class Slice(Fault):
    """What the callee sends is cut into pieces of about that size, `delay_us` (microseconds) after each.

    It finds those who take one read for one message.
    """

    link: Link
    average_bytes: int
    variation_bytes: int = 0
    delay_us: int = 0

    def __post_init__(self) -> None:
        whole("slice", "average_bytes", self.average_bytes, 1)
        whole("slice", "variation_bytes", self.variation_bytes, 0)
        whole("slice", "delay_us", self.delay_us, 0)
        if self.variation_bytes >= self.average_bytes:
            raise ValueError(f"slice: variation_bytes is {self.variation_bytes}; it must be below average_bytes")

    @property
    def targets(self) -> tuple[Link]:
        """The link."""
        return (self.link,)

    @property
    def text(self) -> str:
        """`payments in pieces of 10 bytes`."""
        return f"{self.link.callee.name} in pieces of {self.average_bytes:,} bytes"

    @property
    def probe(self) -> ProbeShape:
        """Probes that wait for the whole answer, down to its last piece."""
        return ProbeShape(timeout_s=1 + self._least_ms / 100, until="whole")

    @property
    def sign(self) -> Sign:
        """A whole answer that is as late as its pauses make it."""
        return Sign(self._least_ms)

    def inject(self, bench: Bench) -> AbstractAsyncContextManager[Mapping[str, Scalar]]:
        """Add the toxic to what the callee sends, remove it on exit."""
        pieces = toxic(
            "slicer", average_size=self.average_bytes, size_variation=self.variation_bytes, delay=self.delay_us
        )
        return toxics(bench, self.text, {self.link: [pieces]})

    def dose(self, probes: Sequence[Probe]) -> Dose:
        """In force where a whole answer took as much longer as its pauses make it; with none, only passing is seen."""
        asked = f"{self.text}, {self.delay_us} µs after each"
        least_ms = self._least_ms
        seen = window(probes, self.link, takes_s=2 * least_ms / 1000)
        if least_ms < NOISE_MS:
            return blind_dose(asked, seen, "the pauses in an answer so short are too short to be seen")
        return later_dose(asked, seen, about(least_ms)[0])

    @property
    def _least_ms(self) -> float:
        """The pauses in the shortest answer that the canary can get."""
        if not isinstance(self.link.callee, Service):
            return 0.0
        return (ANSWER_BYTES // (self.average_bytes + self.variation_bytes)) * self.delay_us / 1000


slice = Slice  # noqa: A001 - it is called as `faults.slice`
