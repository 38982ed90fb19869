"""A link on which some connections fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from lab.bench import Bench
from lab.faults.kit.bounds import share
from lab.faults.kit.chance import seems
from lab.faults.kit.dose import judge, too_few
from lab.faults.kit.inject import toxic, toxics
from lab.faults.kit.window import window
from lab.model import Fault, Link, Scalar
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

    def inject(self, bench: Bench) -> AbstractAsyncContextManager[Mapping[str, Scalar]]:
        """Add the toxic to what the callee sends, remove it on exit."""
        return toxics(bench, self.text, {self.link: [toxic("reset_peer", share=self.share, timeout=0)]})

    def dose(self, probes: Sequence[Probe]) -> Dose:
        """In force where as many probes, each a new connection, were reset as the asked share makes likely."""
        seen = window(probes, self.link)
        few = too_few(seen)
        return judge(
            self.text,
            f"{seen.through.count('reset')} of {len(seen.through)} new connections through the link were reset",
            few or seems(seen.through.count("reset"), len(seen.through), self.share, "connections reset"),
        )


flaky = Flaky
