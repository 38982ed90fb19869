"""All faults at once, each on a link or process of its own, with the canary before, during and after: one season."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from runtimes import runtime_in

from lab.model import Fault, Link, Member, Scalar, Service
from lab.model.bench import Toxic
from lab.observe.canary import Canary, watch
from lab.record import Dose, Probe
from lab.runtime.base import Running, Stack

MARGIN_S = 0.4
payments = Service("payments")


@dataclass(frozen=True)
class Passed:
    """What one fault left behind: what was read back, its dose, outcomes before and after, toxics left on its links."""

    read_back: Mapping[str, Scalar]
    dose: Dose
    during: Sequence[Probe]
    before: set[str]
    after: set[str]
    left: Sequence[Toxic]


def link_from(caller: str, callee: Service = payments) -> Link:
    """A link of its own to the callee; nobody needs to run at the caller's end."""
    return Link(Service(caller), callee)


@asynccontextmanager
async def stack_up(
    folder: Path, members: Sequence[Member], links: Sequence[Link], kind: str = "local"
) -> AsyncIterator[Running]:
    """A stack of real processes or containers and a real fault proxy."""
    async with runtime_in(folder, kind, members) as runtime:
        running = await runtime.start(Stack(members, links), folder / "logs")
        try:
            yield running
        finally:
            await running.stop()


async def season(
    running: Running, faults: Mapping[str, Fault], lasts_s: float, settles_s: float = MARGIN_S
) -> dict[str, Passed]:
    """Put all in at once and take them out again `lasts_s` later; probes from `settles_s` after that count as after."""
    windows: dict[str, tuple[float, float, float, Mapping[str, Scalar]]] = {}
    t0 = time.perf_counter()

    async def one(name: str, fault: Fault) -> None:
        async with fault.inject(running) as read_back:
            start_s = time.perf_counter() - t0
            await asyncio.sleep(lasts_s)
            end_s = time.perf_counter() - t0
        windows[name] = (start_s, end_s, time.perf_counter() - t0, read_back)

    async with AsyncExitStack() as stack:
        # A canary asks less often the more it watches; here each fault is seen as by one that watches it alone.
        canaries = {
            name: await stack.enter_async_context(Canary(watch([fault], running), t0)) for name, fault in faults.items()
        }
        began_s = time.perf_counter() - t0
        await asyncio.sleep(MARGIN_S)
        await asyncio.gather(*(one(name, fault) for name, fault in faults.items()))
        await asyncio.sleep(settles_s + MARGIN_S)
    passed = {}
    for name, fault in faults.items():
        start_s, end_s, out_s, read_back = windows[name]
        ours = {target.name for target in fault.targets}
        outcomes = [(p.at_s, p.outcome) for p in canaries[name].probes if p.target in ours]
        links = [target for target in fault.targets if isinstance(target, Link)]
        during = canaries[name].between(start_s, end_s)
        passed[name] = Passed(
            read_back=read_back,
            dose=fault.dose(during),
            during=[p for p in during if p.target in ours],
            before={outcome for at_s, outcome in outcomes if at_s < began_s + MARGIN_S - 0.2},
            after={outcome for at_s, outcome in outcomes if at_s > out_s + settles_s},
            left=[toxic for link in links for toxic in await running.link(link).toxics()],
        )
    return passed
