"""A process that is stopped in its tracks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from lab.bench import Bench
from lab.faults.kit.dose import gone_dose
from lab.faults.kit.process import expect
from lab.faults.kit.undo import surely, undoing
from lab.faults.kit.window import window
from lab.model import Fault, Member, Scalar
from lab.record import Dose, Probe


@dataclass(frozen=True)
class Pause(Fault):
    """SIGSTOP: it keeps its sockets, the operating system goes on taking connections for it, nothing answers.

    What arrived meanwhile is worked off when it goes on: a garbage collection, a frozen virtual machine.
    """

    member: Member

    @property
    def targets(self) -> tuple[Member]:
        """The service or server."""
        return (self.member,)

    @property
    def text(self) -> str:
        """`payments paused`."""
        return f"{self.member.name} paused"

    def inject(self, bench: Bench) -> AbstractAsyncContextManager[Mapping[str, Scalar]]:
        """Stop it, let it go on on exit."""
        return self._stopped(bench)

    @asynccontextmanager
    async def _stopped(self, bench: Bench) -> AsyncIterator[Mapping[str, Scalar]]:
        control = bench.process(self.member)
        with bench.journal(self.text, member=self.member.name):
            async with undoing(self.text, control.resume):
                await surely(control.pause())
                yield {"state": await expect(self.member, control, "paused")}

    def dose(self, probes: Sequence[Probe]) -> Dose:
        """In force where nothing answered."""
        return gone_dose(f"{self.text}: no answer from it", window(probes, self.member))


pause = Pause
