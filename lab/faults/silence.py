"""A callee that takes connections and never answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Literal

from lab.faults.kit.dose import link_dose, stays_silent
from lab.faults.kit.inject import both_ways, toxic, toxics
from lab.model import Fault, Link, Scalar
from lab.model.bench import Bench
from lab.record import Dose, Probe


@dataclass(frozen=True)
class Silence(Fault):
    """All bytes are dropped, both ways: connections open and new ones alike hear nothing, and neither end closes them.

    The callee never sees the requests. With `swallows="answer"` it sees each of them and does the work, and only its
    answers are dropped: to the caller that is the same silence, and its timeout is truly indeterminate. Connections of
    that time are closed when it ends.
    """

    link: Link
    swallows: Literal["answer"] | None = None

    def __post_init__(self) -> None:
        if self.swallows not in ("answer", None):
            raise ValueError(f'silence: swallows is {self.swallows!r}; it takes "answer", or nothing for both ways')

    @property
    def targets(self) -> tuple[Link]:
        """The link."""
        return (self.link,)

    @property
    def text(self) -> str:
        """`payments silent`, `payments silent, answers lost`."""
        return f"{self.link.callee.name} silent" + (", answers lost" if self.swallows else "")

    def inject(self, bench: Bench) -> AbstractAsyncContextManager[Mapping[str, Scalar]]:
        """Add a timeout toxic without end to both streams, or to the answers alone; remove it on exit."""
        mute = [toxic("timeout", "downstream", timeout=0)] if self.swallows else both_ways("timeout", timeout=0)
        return toxics(bench, self.text, {self.link: mute})

    def dose(self, probes: Sequence[Probe]) -> Dose:
        """In force where no probe through the link was answered or closed, while those beside it were answered."""
        return link_dose(f"{self.text}: no answer through the link", probes, self.link, stays_silent)


silence = Silence
