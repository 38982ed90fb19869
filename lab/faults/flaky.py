"""A link on which some connections fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from lab.faults.kit.bounds import share
from lab.faults.kit.chance import seems
from lab.faults.kit.dose import judge, too_few
from lab.faults.kit.inject import toxic, toxics
from lab.faults.kit.throughout import STRAY, broken_off
from lab.faults.kit.window import window
from lab.model import Fault, Link, Scalar, Sign
from lab.model.bench import Bench
from lab.record import Dose, Probe


@dataclass(frozen=True)
class Flaky(Fault):
    """A `share` of *connections* is reset when the callee answers: the work is done and the answer is lost.

    The die is cast once, when a connection opens; never for a request. A caller that opens one for each request
    loses that share of its answers. A caller with a pool loses far fewer: a bad connection fails once and is
    replaced, a good one stays good for as long as it is kept.
    """

    link: Link
    share: float

    def __post_init__(self) -> None:
        share("flaky", "share", self.share)

    @property
    def targets(self) -> tuple[Link]:
        """The link."""
        return (self.link,)

    @property
    def text(self) -> str:
        """`payments resets 5 % of connections`."""
        return f"{self.link.callee.name} resets {self.share * 100:g} % of connections"

    @property
    def sign(self) -> Sign:
        """No answer, on as many connections as were asked."""
        return Sign(share=self.share)

    def inject(self, bench: Bench) -> AbstractAsyncContextManager[Mapping[str, Scalar]]:
        """Add the toxic to what the callee sends, remove it on exit."""
        return toxics(bench, self.text, {self.link: [toxic("reset_peer", share=self.share, timeout=0)]})

    def dose(self, probes: Sequence[Probe]) -> Dose:
        """In force where as many probes, each a new connection, were reset as the asked share makes likely."""
        seen = window(probes, self.link)
        probes, hits = seen.through.probes, seen.through.count("reset")
        spared = [probe.outcome != "reset" for probe in probes]
        return judge(
            self.text,
            f"{hits} of {len(probes)} new connections through the link were reset",
            too_few(seen) or seems(hits, len(probes), self.share, "connections reset"),
            broken_off(probes, spared, max(STRAY, 1 - self.share), "were not reset"),
        )


flaky = Flaky
