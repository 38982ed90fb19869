"""A process that is stopped in its tracks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from lab.faults.kit import barrier
from lab.faults.kit.dose import gone_dose
from lab.faults.kit.process import paused
from lab.faults.kit.undo import undoing
from lab.faults.kit.window import window
from lab.model import Fault, Member, Scalar, Service, Takes
from lab.model.bench import Bench
from lab.record import Dose, Probe


@dataclass(frozen=True)
class Pause(Fault):
    """SIGSTOP: it keeps its sockets, the operating system goes on taking connections for it, nothing answers.

    What arrived meanwhile is worked off when it goes on: a garbage collection, a frozen virtual machine.

    With `at`, it waits for that barrier of the service and stops it while an operation is held there, as `kill` does.
    """

    member: Member
    at: str | None = None
    within_s: float | None = None

    def __post_init__(self) -> None:
        patience_s = barrier.patience_s("pause", self.member, self.at, self.within_s)
        object.__setattr__(self, "within_s", patience_s)

    @property
    def targets(self) -> tuple[Member]:
        """The service or server."""
        return (self.member,)

    @property
    def barriers(self) -> Mapping[Service, str]:
        """The barrier that it waits for."""
        return barrier.of(self.member, self.at)

    @property
    def text(self) -> str:
        """`payments paused`, `payments paused at between-charge-and-answer`."""
        return f"{self.member.name} paused" + ("" if self.at is None else f" at {self.at}")

    @property
    def takes(self) -> Takes:
        """It is in when an operation stood at the barrier, if it waits for one."""
        return barrier.takes(self.within_s, Takes())

    def inject(self, bench: Bench) -> AbstractAsyncContextManager[Mapping[str, Scalar]]:
        """Stop it, let it go on on exit."""
        return self._stopped(bench)

    @asynccontextmanager
    async def _stopped(self, bench: Bench) -> AsyncIterator[Mapping[str, Scalar]]:
        control = bench.process(self.member)
        with bench.journal(self.text, member=self.member.name):
            async with (
                barrier.held(bench, self.member, self.at, self.within_s) as facts,  # until after it goes on
                undoing(self.text, control.resume),
            ):
                if facts.get("reached", True):
                    facts |= await paused(self.member, control)
                else:
                    facts["state"] = await control.state()
                yield facts

    def dose(self, probes: Sequence[Probe]) -> Dose:
        """In force where nothing answered."""
        return gone_dose(f"{self.text}: no answer from it", window(probes, self.member))


pause = Pause
