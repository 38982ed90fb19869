"""A process that gets less of the processor than it needs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from lab.faults.kit.bounds import share
from lab.faults.kit.chance import TAIL, at_most
from lab.faults.kit.dose import MIN_PROBES, judge
from lab.faults.kit.process import expect
from lab.faults.kit.throughout import broken_off
from lab.faults.kit.undo import surely, undoing
from lab.faults.kit.window import window
from lab.model import Fault, Member, Scalar, Sign
from lab.model.bench import Bench, ProcessControl
from lab.record import Dose, Probe

# Long enough that stopping and looking cost little of it; no multiple of the canary's 0.1 s, which would meet the same
# part of every turn.
TURN_S = 0.23
MOST = 0.95  # a process that is hardly ever let go on cannot even be told to end


@dataclass(frozen=True)
class Slow(Fault):
    """Held back for a `share` of each 0.23 s (SIGSTOP, SIGCONT): a noisy neighbour, a throttled container."""

    member: Member
    share: float

    def __post_init__(self) -> None:
        share("slow", "share", self.share, MOST)

    @property
    def targets(self) -> tuple[Member]:
        """The service or server."""
        return (self.member,)

    @property
    def text(self) -> str:
        """`payments held back 50 %`."""
        return f"{self.member.name} held back {self.share * 100:g} %"

    @property
    def sign(self) -> Sign:
        """Three quarters of the probes that meet a stop wait for a quarter of it or longer."""
        return Sign(1000 * self.share * TURN_S / 4, 0.75 * self.share)

    def inject(self, bench: Bench) -> AbstractAsyncContextManager[Mapping[str, Scalar]]:
        """Stop it and let it go on by turns; on exit it goes on."""
        return self._by_turns(bench)

    @asynccontextmanager
    async def _by_turns(self, bench: Bench) -> AsyncIterator[Mapping[str, Scalar]]:
        control = bench.process(self.member)
        facts: dict[str, Scalar] = {}
        turns: asyncio.Task[None] | None = None

        async def undo() -> None:
            if turns is not None:
                turns.cancel()
                await asyncio.gather(turns, return_exceptions=True)
            await control.resume()

        with bench.journal(self.text, member=self.member.name):
            async with undoing(self.text, undo):
                await surely(control.pause())  # once to and fro, as proof that it can be done
                facts["stopped"] = await expect(self.member, control, "paused")
                await surely(control.resume())
                facts["let go on"] = await expect(self.member, control, "running")
                turns = asyncio.create_task(self._turn(control, facts))
                yield facts

    async def _turn(self, control: ProcessControl, facts: dict[str, Scalar]) -> None:
        begun, held_s = time.monotonic(), 0.0
        due = begun
        while True:
            await asyncio.sleep(due - time.monotonic())
            await surely(control.pause())
            stopped = time.monotonic()
            # What is missing to the share of all turns so far and this one: letting go takes its time, and that counts.
            await asyncio.sleep(self.share * (due + TURN_S - begun) - held_s)
            await surely(control.resume())
            now = time.monotonic()
            held_s += now - stopped
            due = max(due + TURN_S, now)
            facts["held_back_share"] = round(held_s / (due - begun), 3)

    def dose(self, probes: Sequence[Probe]) -> Dose:
        """In force where enough probes had to wait for a quarter of the longest stop or more.

        Three quarters of those that meet a stop do. There may be more: a process held back has queues.
        """
        side = window(probes, self.member).beside
        line_ms, due = self.sign.late_ms or 0.0, self.sign.share
        spared = [probe.latency_ms is not None and probe.latency_ms <= line_ms for probe in side.probes]
        waited = len(spared) - sum(spared)
        few = len(side) < MIN_PROBES
        rare = not few and at_most(waited, len(side), due) < TAIL
        return judge(
            f"{self.text}: stopped for that share of the time",
            f"{waited} of {len(side)} probes waited {line_ms:.0f} ms or longer; {due:.0%} should",
            f"too few probes: {len(side)}; {MIN_PROBES} are needed (a longer phase gives more)" if few else None,
            f"only {waited} of {len(side)} probes had to wait" if rare else None,
            f"{side.gap}, so nothing is shown about that time" if side.gap else None,
            broken_off(side.probes, spared, 1 - due, "did not have to wait"),
        )


slow = Slow
