"""Answers that come late."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Literal

from lab.faults.kit.bounds import share, whole
from lab.faults.kit.chance import seems
from lab.faults.kit.dose import NOISE_MS, about, judge, later_dose, too_few
from lab.faults.kit.inject import toxic, toxics
from lab.faults.kit.throughout import broken_off
from lab.faults.kit.window import Window, window
from lab.model import Fault, Link, ProbeShape, Scalar, Sign
from lab.model.bench import Bench, Stream
from lab.record import Dose, Probe


@dataclass(frozen=True)
class Latency(Fault):
    """Every answer is held `ms`, give or take `jitter_ms` (uniform); the handshake of TCP is not.

    With `delays="request"` what the caller sends is held instead, so that the callee gets it late.

    With a `share` below 1 only that share of *connections* is slow, each for as long as it lives: a caller with a
    pool has a few slow connections, not a few slow requests.
    """

    link: Link
    ms: int
    jitter_ms: int = 0
    share: float = 1.0
    delays: Literal["request"] | None = None  # None: the answer

    def __post_init__(self) -> None:
        whole("latency", "ms", self.ms, 1)
        whole("latency", "jitter_ms", self.jitter_ms, 0)
        if self.jitter_ms > self.ms:
            raise ValueError(
                f"latency: jitter_ms is {self.jitter_ms}; it must not be above ms, since no answer is early"
            )
        share("latency", "share", self.share)
        if self.delays not in (None, "request"):
            raise ValueError(f'latency: delays is {self.delays!r}; it takes "request", or None for answers')

    @property
    def targets(self) -> tuple[Link]:
        """The link."""
        return (self.link,)

    @property
    def text(self) -> str:
        """`payments +200 ms`, `payments requests +200 ms`."""
        what = " requests" if self.delays else ""
        jitter = f" ± {self.jitter_ms} ms" if self.jitter_ms else ""
        some = f" on {self.share * 100:g} % of connections" if self.share < 1 else ""
        return f"{self.link.callee.name}{what} +{self.ms} ms{jitter}{some}"

    @property
    def probe(self) -> ProbeShape:
        """Probes that wait for the slowest answer, and then some."""
        return ProbeShape(timeout_s=1 + (self.ms + self.jitter_ms) / 1000)

    @property
    def sign(self) -> Sign:
        """Answers that are late, of as many connections as were asked."""
        return Sign(self.ms, self.share)

    def inject(self, bench: Bench) -> AbstractAsyncContextManager[Mapping[str, Scalar]]:
        """Add the toxic to what the callee sends, or the caller, remove it on exit."""
        stream: Stream = "upstream" if self.delays else "downstream"
        held = toxic("latency", stream, share=self.share, latency=self.ms, jitter=self.jitter_ms)
        return toxics(bench, self.text, {self.link: [held]})

    def dose(self, probes: Sequence[Probe]) -> Dose:
        """In force where probes through the link took longer than those beside it by what was asked."""
        seen = window(probes, self.link, takes_s=(self.ms + self.jitter_ms) / 1000)
        asked = f"{self.text}: answers through the link later by that"
        if self.share < 1:
            return self._of_some(asked, seen)
        least_ms, most_ms = about(self.ms)
        if least_ms <= 0:  # so short a delay cannot be told from none, but from a long one
            return later_dose(asked, seen, -NOISE_MS, most_ms)
        return later_dose(asked, seen, least_ms, most_ms, quickest_ms=about(self.ms - self.jitter_ms)[0])

    def _of_some(self, asked: str, seen: Window) -> Dose:
        """Slow probes counted, each on a connection of its own."""
        line_ms = seen.beside.median_ms + max(0.2 * self.ms, 0.8 * (self.ms - self.jitter_ms))
        probes = seen.through.probes
        quick = [p.latency_ms is not None and p.latency_ms <= line_ms for p in probes]
        slow = len(probes) - sum(quick)
        return judge(
            asked,
            f"{slow} of {len(probes)} probes through the link took {line_ms:.1f} ms or longer",
            too_few(seen) or seems(slow, len(probes), self.share, "connections slow"),
            broken_off(probes, quick, 1 - self.share, f"took less than {line_ms:.0f} ms"),
        )


latency = Latency
