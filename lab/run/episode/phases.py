"""The phases of an episode: faults go in and out on time, whatever else there is to do at an edge."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from itertools import pairwise

import psutil

from lab import faults
from lab.load.driver import LoadDriver
from lab.model import Link, Panel, Phase, Service
from lab.observe.grafana import PHASE
from lab.observe.panels import Watched
from lab.observe.profiles import Profiler
from lab.observe.stolen import StolenTime
from lab.record import PhaseWindow
from lab.run.episode.acting import acting
from lab.run.episode.capture import EpisodeCapture
from lab.run.episode.context import RunContext
from lab.run.episode.edges import count, kept_down
from lab.run.episode.inforce import InForce
from lab.run.episode.readbacks import read_early
from lab.run.progress import Progress
from lab.runtime.base import Running

TICK_S = 0.25  # how often the terminal is told
# How long faults at processes wait for what the services count at the edge, so that one that is to be killed is asked
# before. They answer within 10 to 30 ms; one that does not must not make the faults late.
COUNTED_WITHIN_S = 0.1


async def pass_phases(
    context: RunContext, phases: Sequence[Phase], capture: EpisodeCapture, running: Running, driver: LoadDriver
) -> None:
    """Let the load run and the phases pass, faults going in and out on time."""
    driver.begin(capture.clock.t0_steady_s)
    await asyncio.sleep(max(0.0, -capture.now_s()))
    start_s = 0.0
    counting = [asyncio.create_task(count(capture, running, set(), after=phases[0]))]
    early = asyncio.create_task(read_early(context, capture, running, phases))
    try:
        async with _live_facts(context.prometheus, [p for p in context.scenario.panels if p.live]) as facts:
            for phase, following in pairwise([*phases, None]):
                assert phase is not None
                end_s = start_s + phase.lasts_s
                context.progress.phase(phase.name, phase.lasts_s, _broken(context, phase))
                if _hits_members(phase):
                    await asyncio.wait(counting[-1:], timeout=COUNTED_WITHIN_S)
                async with InForce(context, capture, running, phase) as in_force:
                    await in_force.inject()  # before all else: the phase has begun
                    psutil.cpu_percent()  # the next call counts from here
                    stolen = StolenTime()
                    with _drawn(context, capture, phase), _profiled(context, capture, running, phase):
                        async with acting(capture, running, phase, start_s):
                            await pass_time(context.progress, capture.now_s, driver, facts, until_s=end_s)
                    down = await kept_down(capture, running)
                    counting.append(asyncio.create_task(count(capture, running, down, phase, following)))
                busy_share = psutil.cpu_percent() / 100
                capture.clock.look()
                asked = _asked(driver, start_s, end_s)
                capture.windows.append(
                    PhaseWindow(phase.name, start_s, end_s, asked, busy_share, stolen_share=stolen.share())
                )
                start_s = end_s
        await asyncio.gather(*counting, early)
    finally:
        for task in (*counting, early):
            task.cancel()
        await asyncio.gather(*counting, early, return_exceptions=True)


def _hits_members(phase: Phase) -> bool:
    candidates = [candidate for fault in phase.faults for candidate in fault.candidates]
    return any(not isinstance(target, Link) for candidate in candidates for target in candidate.targets)


def _broken(context: RunContext, phase: Phase) -> list[str]:
    return [
        *(faults.told(fault, context.scenario.links) for fault in phase.faults),
        *(action.text for action in phase.actions),
    ]


def _asked(driver: LoadDriver, start_s: float, end_s: float) -> int | None:
    """How many operations the schedule has due in a phase; None in the closed model."""
    if driver.due_s is None:
        return None
    return sum(start_s <= due_s < end_s for due_s in driver.due_s)


def _drawn(context: RunContext, capture: EpisodeCapture, phase: Phase) -> AbstractContextManager[None]:
    """The phase as a region of Grafana's."""
    variant = capture.variant.name
    return context.marks.region(f"{variant}: {phase.name}", PHASE, variant, lasts_s=phase.lasts_s)


@contextmanager
def _profiled(context: RunContext, capture: EpisodeCapture, running: Running, phase: Phase) -> Iterator[None]:
    """Have py-spy record meanwhile; what it found is written in the background: the next phase must begin on time."""
    profiler = Profiler.start(
        context.supervisor.spawn,
        {service.name: running.spies(service) for service in context.scenario.profile},
        phase.name,
        context.folder / "profiles" / capture.label,
        untouched=any(isinstance(target, Service) for fault in phase.faults for target in fault.targets),
    )
    try:
        yield
    finally:
        capture.profiles.append(asyncio.create_task(profiler.finish()))


async def pass_time(
    progress: Progress, now_s: Callable[[], float], driver: LoadDriver, facts: Mapping[str, str], until_s: float
) -> None:
    """Wait for the end of a phase, telling the terminal how it goes. Nothing that can be slow is awaited here."""
    while now_s() < until_s:
        progress.update(driver.progress(), facts)
        await asyncio.sleep(min(TICK_S, max(0.0, until_s - now_s())))


@asynccontextmanager
async def _live_facts(prometheus: Watched | None, panels: list[Panel]) -> AsyncIterator[Mapping[str, str]]:
    """The live panels' newest values, in words, asked for in the background: a slow answer holds up no phase."""
    facts: dict[str, str] = {}
    asking = asyncio.create_task(_keep_asking(prometheus, panels, facts)) if prometheus and panels else None
    try:
        yield facts
    finally:
        if asking:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)


async def _keep_asking(prometheus: Watched, panels: list[Panel], facts: dict[str, str]) -> None:
    while True:
        for panel in panels:
            for series, value in await prometheus.now(panel):
                name = f"{panel.title.lower()}{f' ({series})' if series else ''}"
                facts[name] = panel.values.get(int(value), f"{value:g}")
        await asyncio.sleep(TICK_S)
