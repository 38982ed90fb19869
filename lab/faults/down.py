"""A callee that is not there: connections are refused."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from lab.faults.kit.dose import link_dose, mostly
from lab.faults.kit.undo import surely, undoing
from lab.model import Fault, Link, Scalar
from lab.model.bench import Bench
from lab.record import Dose, Probe


@dataclass(frozen=True)
class Down(Fault):
    """New connections are refused at once and those open are closed. The callee itself goes on."""

    link: Link

    @property
    def targets(self) -> tuple[Link]:
        """The link."""
        return (self.link,)

    @property
    def text(self) -> str:
        """`payments down`."""
        return f"{self.link.callee.name} down"

    def inject(self, bench: Bench) -> AbstractAsyncContextManager[Mapping[str, Scalar]]:
        """Switch the link's proxy off, and on again on exit."""
        return self._off(bench)

    @asynccontextmanager
    async def _off(self, bench: Bench) -> AsyncIterator[Mapping[str, Scalar]]:
        control = bench.link(self.link)
        with bench.journal(self.text, links=self.link.name):
            async with undoing(self.text, lambda: control.set_enabled(True)):
                await surely(control.set_enabled(False))
                yield {"enabled": False}

    def dose(self, probes: Sequence[Probe]) -> Dose:
        """In force where probes through the link were refused, while those beside it were answered."""
        return link_dose(f"{self.text}: connections refused", probes, self.link, mostly("refused"))


down = Down
