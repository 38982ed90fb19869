"""An episode from start to stop: the stack and the load come up, the phases pass, what is left is collected."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from lab.faults.kit import barrier
from lab.load.driver import LoadDriver, Plan
from lab.model.bench import Moment
from lab.observe import events
from lab.observe.canary import Canary, watch
from lab.observe.grafana import EVENT, VARIANT
from lab.observe.hiccups import Meter
from lab.observe.statistics import Statistics
from lab.record import Event
from lab.run.episode.capture import EpisodeCapture
from lab.run.episode.clock import EpisodeClock
from lab.run.episode.closing import collect, finish
from lab.run.episode.context import RunContext
from lab.run.episode.edges import urls
from lab.run.episode.phases import pass_phases
from lab.run.episode.plan import EpisodePlan
from lab.runtime.base import Running, Stack

LEAD_IN_S = 0.5  # from "go" to the first arrival: the load generator must have read it by then


async def play(context: RunContext, plan: EpisodePlan, trial: int, seed: int) -> EpisodeCapture:
    """Run one variant from start to stop, and give what it brought home."""
    variant = plan.variant
    capture = EpisodeCapture(trial, variant, seed)
    names = [each.name for each in context.scenario.variants]
    context.progress.variant(variant.name, names.index(variant.name) + 1, len(names))
    logs = context.folder / "logs" / capture.label
    async with AsyncExitStack() as stack:
        async with capture.timed("start"):
            running, driver = await _start(context, plan, capture, logs, stack)
        phases = ", ".join(f"{phase.name} {phase.lasts_s:g} s" for phase in plan.phases)
        text, lasts_s = f"variant {variant.name}, trial {trial}: {phases}", LEAD_IN_S + plan.lasts_s
        with context.marks.region(text, VARIANT, variant.name, lasts_s=lasts_s):
            await pass_phases(context, plan.phases, capture, running, driver)
        async with capture.timed("drain"):
            await finish(context, capture, running, driver)
        async with capture.timed("collect"):
            await collect(context, capture)
        leaving = time.monotonic()
    capture.events = await _events(plan, capture, logs, running.moments)
    t0_epoch_s = capture.clock.t0_epoch_s
    drawn = [
        (t0_epoch_s + event.at_s, f"{event.source}: {event.text}")
        for event in [*capture.events, *events.of_alerts(capture.alerts or [])]
    ]
    context.marks.moments(sorted(drawn), EVENT, variant.name)
    capture.overhead_s["stop"] = time.monotonic() - leaving
    return capture


async def _events(plan: EpisodePlan, capture: EpisodeCapture, logs: Path, moments: Sequence[Moment]) -> list[Event]:
    """What targets told and the lab saw, once all is stopped and the logs are whole."""
    t0_epoch_s, lasts_s = capture.clock.t0_epoch_s, plan.lasts_s
    told = await asyncio.to_thread(events.told, logs, t0_epoch_s, lasts_s)
    return [*told, *events.seen(moments, t0_epoch_s, lasts_s)]


async def _start(
    context: RunContext, plan: EpisodePlan, capture: EpisodeCapture, logs: Path, stack: AsyncExitStack
) -> tuple[Running, LoadDriver]:
    """Bring up stack and load generator at the same time, point Prometheus and the canary at the stack."""
    scenario = context.scenario
    load_dir = context.supervisor.scratch / f"load-{capture.label}"
    driver = LoadDriver.launch(scenario.load, context.supervisor.spawn, load_dir, context.crew)
    stack.push_async_callback(driver.stop)
    running = await context.runtime.start(Stack(plan.members, plan.links, plan.env, capture.label, plan.disks), logs)
    stack.push_async_callback(running.stop)
    await barrier.check(running, plan.faults)
    if context.prometheus:
        trial, variant = capture.trial, capture.variant.name
        capture.notes += await context.prometheus.set_targets(trial, variant, urls(running), running.proxy_url)
    capture.statistics = await stack.enter_async_context(Statistics.of(running))
    salt = f"{context.run_id} {capture.label}"
    load_urls = [running.address(service).url for service in scenario.load.services]
    await driver.prepare(Plan(load_urls, scenario.load, plan.lasts_s, capture.seed, salt, ends=plan.ends))
    if context.prometheus:
        await context.prometheus.scraping()  # so that the panels show the first second too
    capture.meter = Meter.start(context.supervisor.spawn, load_dir)
    stack.push_async_callback(capture.meter.stop)
    capture.clock = EpisodeClock(LEAD_IN_S)
    capture.canary = await stack.enter_async_context(Canary(watch(plan.faults, running), capture.clock.t0_steady_s))
    return running, driver
