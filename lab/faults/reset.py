"""Connections that are torn down the moment they are used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Literal

from lab.faults.kit.dose import link_dose, mostly
from lab.faults.kit.inject import toxic, toxics
from lab.model import Fault, Link, Scalar
from lab.model.bench import Bench
from lab.record import Dose, Probe


@dataclass(frozen=True)
class Reset(Fault):
    """The first data is swallowed, then the connection is reset (RST).

    `swallows="answer"`: the callee has done the work and the caller cannot know; `"request"`: nothing was done.
    Connections opened before the fault are closed in the orderly way (FIN) instead, and only once they are used.
    """

    link: Link
    swallows: Literal["answer", "request"] = "answer"

    def __post_init__(self) -> None:
        if self.swallows not in ("answer", "request"):
            raise ValueError(f'reset: swallows is {self.swallows!r}; it takes "answer" or "request"')

    @property
    def targets(self) -> tuple[Link]:
        """The link."""
        return (self.link,)

    @property
    def text(self) -> str:
        """`payments resets answers`."""
        return f"{self.link.callee.name} resets {self.swallows}s"

    def inject(self, bench: Bench) -> AbstractAsyncContextManager[Mapping[str, Scalar]]:
        """Add the toxic to that stream, remove it on exit."""
        torn = toxic("reset_peer", "upstream" if self.swallows == "request" else "downstream", timeout=0)
        return toxics(bench, self.text, {self.link: [torn]})

    def dose(self, probes: Sequence[Probe]) -> Dose:
        """In force where probes through the link were reset, while those beside it were answered."""
        return link_dose(f"{self.text}: every new connection reset", probes, self.link, mostly("reset"))


reset = Reset
