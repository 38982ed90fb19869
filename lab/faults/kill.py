"""A process that dies without a word."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from lab.faults.kit import barrier
from lab.faults.kit.bounds import at_least
from lab.faults.kit.process import STARTS_WITHIN, Comeback, dead_dose, killed
from lab.faults.kit.undo import undoing
from lab.model import Fault, Member, Scalar, Service, Takes
from lab.model.bench import Bench
from lab.record import Dose, Probe

SHORTEST_S = 0.5  # the canary needs three probes of a dead process; `restart` is for shorter gaps


@dataclass(frozen=True)
class Kill(Fault):
    """SIGKILL: no clean-up, no last write, connections reset by the operating system.

    It is started again, with the same port and data, after `restart_after_s`, at the latest when the phase ends.

    With `at`, it waits for that barrier of the service and kills it while an operation is held there: exactly between
    two of its steps. The receipt says which operation that was. Where none comes by within `within_s` (1 s unless
    given) it kills nothing, and the fault was not in force. That wait is part of the phase, as any late injection is.
    """

    member: Member
    restart_after_s: float | None = None
    at: str | None = None
    within_s: float | None = None

    def __post_init__(self) -> None:
        patience_s = barrier.patience_s("kill", self.member, self.at, self.within_s)
        object.__setattr__(self, "within_s", patience_s)
        if self.restart_after_s is not None:
            at_least("kill", "restart_after_s", self.restart_after_s, SHORTEST_S)

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
        """`payments killed`, `notifier killed at between-work-and-ack`."""
        where = "" if self.at is None else f" at {self.at}"
        back = "" if self.restart_after_s is None else f", back after {self.restart_after_s:g} s"
        return f"{self.member.name} killed{where}{back}"

    @property
    def starts_again_at_the_end(self) -> bool:
        """Where it does not earlier."""
        return self.restart_after_s is None

    @property
    def takes(self) -> Takes:
        """It is in when an operation stood at the barrier, if it waits for one, and out when the process is back."""
        return barrier.takes(self.within_s, STARTS_WITHIN)

    def inject(self, bench: Bench) -> AbstractAsyncContextManager[Mapping[str, Scalar]]:
        """Kill it; start it again when it is time, or on exit."""
        return self._dead(bench)

    @asynccontextmanager
    async def _dead(self, bench: Bench) -> AsyncIterator[Mapping[str, Scalar]]:
        control = bench.process(self.member)
        facts: dict[str, Scalar] = {}
        comeback = Comeback(control)

        async def undo() -> None:
            facts.update(await comeback.complete())

        with bench.journal(self.text, member=self.member.name):
            async with undoing(self.text, undo):
                async with barrier.held(bench, self.member, self.at, self.within_s) as facts:
                    if facts.get("reached", True):
                        facts |= await killed(self.member, control)
                    else:
                        facts["state"] = await control.state()
                if facts["state"] == "gone":
                    comeback.begin(self.restart_after_s)
                yield facts

    def dose(self, probes: Sequence[Probe]) -> Dose:
        """In force where nothing answered for as long as it was to be dead."""
        return dead_dose(self.text, self.member, self.restart_after_s, probes)


kill = Kill
