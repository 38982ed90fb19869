"""A process that is stopped and started again: an upgrade, a new configuration."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from lab.faults.kit.dose import MIN_PROBES, judge
from lab.faults.kit.process import STARTS_WITHIN, trouble
from lab.faults.kit.throughout import PART_S
from lab.faults.kit.undo import surely, undoing
from lab.faults.kit.window import window
from lab.model import Fault, Member, Scalar, Takes
from lab.model.bench import Bench, ProcessControl
from lab.record import Dose, Probe


@dataclass(frozen=True)
class Restart(Fault):
    """Asked to stop (SIGTERM, so that it can finish what it has begun), then started with the same port and data.

    It happens once, at the start of the phase. `kill` is the same without asking.
    """

    member: Member

    @property
    def targets(self) -> tuple[Member]:
        """The service or server."""
        return (self.member,)

    @property
    def text(self) -> str:
        """`payments restarted`."""
        return f"{self.member.name} restarted"

    @property
    def takes(self) -> Takes:
        """The restart goes on in the phase; where that is too short for it, until it is complete."""
        return STARTS_WITHIN

    def inject(self, bench: Bench) -> AbstractAsyncContextManager[Mapping[str, Scalar]]:
        """Begin the restart and let the phase go on meanwhile; on exit it is complete."""
        return self._again(bench)

    @asynccontextmanager
    async def _again(self, bench: Bench) -> AsyncIterator[Mapping[str, Scalar]]:
        control = bench.process(self.member)
        facts: dict[str, Scalar] = {}
        with bench.journal(self.text, member=self.member.name):
            under_way = asyncio.create_task(_restart(control, facts))

            async def undo() -> None:
                facts.update(await trouble(under_way))
                if await control.state() == "gone":
                    await control.restart()

            async with undoing(self.text, undo):
                yield facts

    def dose(self, probes: Sequence[Probe]) -> Dose:
        """In force where probes went unanswered for a while, and answered after."""
        seen = window(probes, self.member, edge_s=0.0).beside.probes
        gap = [number for number, probe in enumerate(seen) if probe.outcome != "answered"]
        after = seen[gap[-1] + 1 :] if gap else []
        away_s = seen[gap[0]].at_s - seen[0].at_s if gap else 0.0
        return judge(
            f"{self.text}: a gap in its answers",
            f"{len(gap)} of {len(seen)} probes unanswered, then {len(after)} answered",
            f"too few probes: {len(seen)}; {MIN_PROBES} are needed" if len(seen) < MIN_PROBES else None,
            f"{self.member.name} answered every probe, so it was never away for 0.1 s" if not gap else None,
            f"{self.member.name} did not answer again" if not after else None,
            f"{self.member.name} went away only after {away_s:.1f} s" if away_s > PART_S else None,
        )


async def _restart(control: ProcessControl, facts: dict[str, Scalar]) -> None:
    begun = time.monotonic()
    await surely(control.restart())
    facts["state"] = await control.state()
    facts["took_s"] = round(time.monotonic() - begun, 3)


restart = Restart
