"""One variant in one trial: start the stack, send the load, break things on time, collect, stop everything."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import psutil

from lab import faults
from lab.load.crew import Crew
from lab.load.driver import LoadDriver, Plan, Result
from lab.model import Env, Fault, Link, Member, Phase, Scalar, Scenario, Service, Variant
from lab.observe import alerts
from lab.observe.canary import Canary, watch
from lab.observe.grafana import FAULT, VARIANT
from lab.observe.hiccups import Meter, between
from lab.observe.marks import Marks
from lab.observe.panels import Watched
from lab.observe.profiles import Profiler
from lab.observe.snapshots import snapshot
from lab.optional import links_of, members_of
from lab.progress import Progress
from lab.record import Episode, FiredAlert, PhaseWindow, Receipt
from lab.runtime import backing
from lab.runtime.base import Running, Runtime, Stack
from lab.runtime.supervisor import Supervisor

LEAD_IN_S = 0.5  # from "go" to the first arrival: the load generator must have read it by then
TICK_S = 0.25  # how often the terminal is told
READBACK_TIMEOUT_S = 10.0

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Setting:
    """What every episode of a run shares. `prometheus` is None where there is none; the notes say why."""

    scenario: Scenario
    name: str
    scale: float
    run_id: str
    folder: Path
    supervisor: Supervisor
    runtime: Runtime
    prometheus: Watched | None
    progress: Progress
    crew: Crew
    marks: Marks

    @property
    def phases(self) -> list[Phase]:
        """The phases, scaled."""
        return [Phase(p.name, p.lasts_s * self.scale, p.faults) for p in self.scenario.phases]

    @property
    def ends(self) -> list[tuple[str, float]]:
        """When each phase ends, in seconds since the load began."""
        ends_s = accumulate(phase.lasts_s for phase in self.phases)
        return [(phase.name, end_s) for phase, end_s in zip(self.phases, ends_s, strict=True)]


@dataclass
class Injection:
    """A fault while it happens; becomes a receipt when the probes are in."""

    fault: Fault
    resolved: Fault
    phase: str
    injected_s: float
    read_back: Mapping[str, Scalar]
    removed_s: float | None = None


@dataclass
class Pass:
    """What one episode brings home, filled as it goes, so that an episode cut short still has what it had."""

    trial: int
    variant: Variant
    seed: int
    t0_epoch_s: float = 0.0
    windows: list[PhaseWindow] = field(default_factory=list)
    injections: list[Injection] = field(default_factory=list)
    snapshots: Rows = field(default_factory=list)
    series: Rows = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    deaths: list[str] = field(default_factory=list)
    overhead_s: dict[str, float] = field(default_factory=dict)
    profiles: list[asyncio.Task[list[str]]] = field(default_factory=list)
    canary: Canary | None = None
    meter: Meter | None = None
    load: Result | None = None
    alerts: list[FiredAlert] | None = None

    @property
    def label(self) -> str:
        """`1-off`: names this episode's folders."""
        return f"{self.trial}-{self.variant.name}"

    def now_s(self) -> float:
        """Seconds since the load began."""
        return time.time() - self.t0_epoch_s

    @asynccontextmanager
    async def timed(self, step: str) -> AsyncIterator[None]:
        """Count the time of a step towards the overhead."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.overhead_s[step] = self.overhead_s.get(step, 0.0) + time.monotonic() - began


async def play(setting: Setting, trial: int, variant: Variant, seed: int) -> Pass:
    """Run one variant from start to stop, and give what it brought home."""
    this = Pass(trial, variant, seed)
    names = [each.name for each in setting.scenario.variants]
    setting.progress.variant(variant.name, names.index(variant.name) + 1, len(names))
    logs = setting.folder / "logs" / this.label
    async with AsyncExitStack() as stack:
        async with this.timed("start"):
            running, driver = await _start(setting, this, logs, stack)
        phases = ", ".join(f"{phase.name} {phase.lasts_s:g} s" for phase in setting.phases)
        text, lasts_s = f"variant {variant.name}, trial {trial}: {phases}", LEAD_IN_S + setting.ends[-1][1]
        with setting.marks.region(text, VARIANT, variant.name, lasts_s=lasts_s):
            await _phases(setting, this, running, driver)
        async with this.timed("drain"):
            await _finish(setting, this, running, driver)
        async with this.timed("collect"):
            await _collect(setting, this)
        leaving = time.monotonic()
    this.overhead_s["stop"] = time.monotonic() - leaving
    return this


async def _start(setting: Setting, this: Pass, logs: Path, stack: AsyncExitStack) -> tuple[Running, LoadDriver]:
    """Bring up stack and load generator at the same time, point Prometheus and the canary at the stack."""
    scenario = setting.scenario
    load_dir = setting.supervisor.scratch / f"load-{this.label}"
    driver = LoadDriver.launch(scenario.load, setting.supervisor.spawn, load_dir, setting.crew)
    stack.push_async_callback(driver.stop)
    members, links = members_of(scenario, this.variant), links_of(scenario, this.variant)
    env = {member: _env(member, this.variant) for member in members}
    running = await setting.runtime.start(Stack(members, links, env, this.label), logs)
    stack.push_async_callback(running.stop)
    if setting.prometheus:
        urls = _urls(running)
        this.notes += await setting.prometheus.set_targets(this.trial, this.variant.name, urls, running.proxy_url)
    salt = f"{setting.run_id} {this.label}"
    load_urls = [running.address(service).url for service in scenario.load.services]
    await driver.prepare(Plan(load_urls, scenario.load, setting.ends[-1][1], this.seed, salt, ends=setting.ends))
    if setting.prometheus:
        await setting.prometheus.scraping()  # so that the panels show the first second too
    this.meter = Meter.start(setting.supervisor.spawn, load_dir)
    stack.push_async_callback(this.meter.stop)
    this.t0_epoch_s = time.time() + LEAD_IN_S
    broken = [fault for phase in scenario.phases for fault in phase.faults]
    this.canary = await stack.enter_async_context(Canary(watch(broken, running), this.t0_epoch_s))
    return running, driver


def _env(member: Member, variant: Variant) -> Env:
    own = member.env if isinstance(member, Service) else member.settings
    profiled = {"ALLOW_PTRACE": 1} if isinstance(member, Service) else {}
    return {**profiled, **own, **variant.env.get(member, {})}


def _urls(running: Running) -> dict[str, str]:
    """Where each member that counts is, with no proxy between."""
    return {member.name: running.address(member).url for member in running.members() if backing.counts(member)}


async def _phases(setting: Setting, this: Pass, running: Running, driver: LoadDriver) -> None:
    """Let the load run and the phases pass, faults going in and out on time."""
    driver.begin(this.t0_epoch_s)
    await asyncio.sleep(max(0.0, -this.now_s()))
    due_s = 0.0
    edge = await _snapshot(this, running)
    for phase in setting.phases:
        start_s, due_s = due_s, due_s + phase.lasts_s
        broken = [faults.told(fault, setting.scenario.links) for fault in phase.faults]
        setting.progress.phase(phase.name, phase.lasts_s, broken)
        async with AsyncExitStack() as injected:
            for fault in phase.faults:  # before all else: the phase has begun
                await _inject(setting, this, running, fault, phase, injected)
            _keep(this, edge, phase, "start")
            psutil.cpu_percent()  # the next call counts from here
            injected.callback(_profile(setting, this, running, phase))
            await _pass_time(setting, this, running, driver, until_s=due_s)
            busy_share = psutil.cpu_percent() / 100
            edge = await _snapshot(this, running)
            _keep(this, edge, phase, "end")
        this.windows.append(PhaseWindow(phase.name, start_s, due_s, _asked(driver, start_s, due_s), busy_share))


def _asked(driver: LoadDriver, start_s: float, end_s: float) -> int | None:
    """How many operations the schedule has due in a phase; None in the closed model."""
    if driver.due_s is None:
        return None
    return sum(start_s <= due_s < end_s for due_s in driver.due_s)


def _profile(setting: Setting, this: Pass, running: Running, phase: Phase) -> Callable[[], None]:
    """Have py-spy record this phase; gives what ends it, in the background: the next phase must begin on time."""
    profiler = Profiler.start(
        setting.supervisor.spawn,
        {service.name: running.spies(service) for service in setting.scenario.profile},
        phase.name,
        setting.folder / "profiles" / this.label,
        untouched=any(isinstance(target, Service) for fault in phase.faults for target in fault.targets),
    )
    return lambda: this.profiles.append(asyncio.create_task(profiler.finish()))


async def _inject(
    setting: Setting, this: Pass, running: Running, fault: Fault, phase: Phase, injected: AsyncExitStack
) -> None:
    """Put a fault in, and have it taken out (and that written down) when the phase ends, however it ends."""
    resolved = await fault.resolve(running)
    if resolved is not fault and this.canary:
        this.canary.add(watch([resolved], running))
    read_back = await injected.enter_async_context(resolved.inject(running))
    injection = Injection(fault, resolved, phase.name, this.now_s(), read_back)
    this.injections.append(injection)

    def removing() -> None:
        injection.removed_s = this.now_s()

    injected.callback(removing)
    tags = (FAULT, this.variant.name, faults.spec(resolved).kind)
    injected.enter_context(setting.marks.region(resolved.text, *tags, lasts_s=phase.lasts_s))


async def _pass_time(setting: Setting, this: Pass, running: Running, driver: LoadDriver, until_s: float) -> None:
    """Wait for the end of a phase, telling the terminal how it goes."""
    while (left_s := until_s - this.now_s()) > 0:
        facts = await _facts(setting)
        setting.progress.update(driver.progress(), facts)
        await asyncio.sleep(min(TICK_S, max(0.0, left_s)))


async def _facts(setting: Setting) -> dict[str, str]:
    """The live panels' newest values, in words."""
    facts: dict[str, str] = {}
    if setting.prometheus is None:
        return facts
    for panel in setting.scenario.panels:
        if panel.live:
            for series, value in await setting.prometheus.now(panel):
                name = f"{panel.title.lower()}{f' ({series})' if series else ''}"
                facts[name] = panel.values.get(int(value), f"{value:g}")
    return facts


async def _snapshot(this: Pass, running: Running) -> tuple[Rows, list[str]]:
    """Scrape every member that counts, at a phase's edge: exact counts for the phase, whatever Prometheus caught.

    Nobody asks those that a fault keeps down: that they are silent is no news.
    """
    down = await _kept_down(this, running)
    return await snapshot({name: url for name, url in _urls(running).items() if name not in down}, at_s=this.now_s())


async def _kept_down(this: Pass, running: Running) -> set[str]:
    """Members that are gone or paused while a fault is at them."""
    in_force = [injection.resolved for injection in this.injections if injection.removed_s is None]
    hit = {target for fault in in_force for target in fault.targets if not isinstance(target, Link)}
    return {member.name for member in hit if await running.process(member).state() != "running"}


def _keep(this: Pass, scraped: tuple[Rows, list[str]], phase: Phase, edge: str) -> None:
    """Keep what was scraped as this edge of a phase; where one phase ends, the next starts."""
    rows, notes = scraped
    this.snapshots.extend({**row, "phase": phase.name, "edge": edge} for row in rows)
    this.notes.extend(f"{phase.name}, {edge}: {note}" for note in notes)


# --- after the load ---------------------------------------------------------------------------------------------


async def _finish(setting: Setting, this: Pass, running: Running, driver: LoadDriver) -> None:
    """Drain what is in flight, read back what the services hold, and note who died."""
    this.load = await driver.finish()
    _add_hiccups(this)
    for log in (setting.supervisor.scratch / f"load-{this.label}").glob("*.log"):
        shutil.copyfile(log, setting.folder / "logs" / this.label / log.name)
    this.notes.extend(this.load.notes)
    for notes in await asyncio.gather(*this.profiles):
        this.notes.extend(notes)
    this.deaths.extend(running.deaths())
    answers: dict[str, Any] = {}
    timeout = aiohttp.ClientTimeout(total=READBACK_TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        for readback in setting.scenario.readbacks:
            url = running.address(readback.service).url + readback.path
            try:
                async with session.get(url) as response:
                    answers[readback.name] = await response.json()
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                this.notes.append(f"readback {readback.name}: {readback.service.name} gave no answer ({error!r})")
    folder = setting.folder / "readbacks"
    folder.mkdir(exist_ok=True)
    (folder / f"{this.label}.json").write_bytes(msgspec.json.encode(answers))


def _add_hiccups(this: Pass) -> None:
    """Put what the hiccup meter noted into each phase's window."""
    assert this.meter is not None
    wakes = this.meter.wakes()
    for n, window in enumerate(this.windows):
        if found := between(wakes, this.t0_epoch_s + window.start_s, this.t0_epoch_s + window.end_s):
            this.windows[n] = replace(window, hiccup_p99_ms=found.p99_ms, hiccup_max_ms=found.max_ms)
        else:
            this.notes.append(f"{window.name}: the hiccup meter noted nothing; how late the machine woke is not known")


async def _collect(setting: Setting, this: Pass) -> None:
    """Fetch every panel over the time of this episode, and which alerts fired."""
    if setting.prometheus:
        lasts_s = this.windows[-1].end_s
        asked = [*setting.scenario.panels, alerts.FIRING]
        collected = await setting.prometheus.collect(asked, this.t0_epoch_s, lasts_s)
        this.notes.extend(collected.notes)
        firing = [row for row in collected.rows if row["panel"] == alerts.FIRING.title]
        this.series.extend(row for row in collected.rows if row["panel"] != alerts.FIRING.title)
        if not any(alerts.FIRING.title in note for note in collected.notes):
            this.alerts = alerts.fired(firing, lasts_s)


def episode_of(this: Pass, links: Sequence[Link]) -> Episode:
    """The episode as the record keeps it, with a receipt for every fault that went in; `links` are the scenario's."""
    assert this.load is not None
    return Episode(
        trial=this.trial,
        variant=this.variant.name,
        seed=this.seed,
        t0_epoch_s=this.t0_epoch_s,
        phases=this.windows,
        load=this.load.facts,
        receipts=[_receipt(this, injection, links) for injection in this.injections],
        overhead_s={name: round(value, 3) for name, value in this.overhead_s.items()},
        deaths=this.deaths,
        notes=this.notes,
        alerts=this.alerts,
    )


def _receipt(this: Pass, injection: Injection, links: Sequence[Link]) -> Receipt:
    assert this.canary is not None
    until_s = this.now_s() if injection.removed_s is None else injection.removed_s
    return Receipt(
        fault=faults.spec(injection.fault, links),
        phase=injection.phase,
        injected_s=injection.injected_s,
        removed_s=injection.removed_s,
        read_back={**_who(injection, links), **injection.read_back},
        dose=injection.resolved.dose(this.canary.between(injection.injected_s, until_s)),
    )


def _who(injection: Injection, links: Sequence[Link]) -> dict[str, Scalar]:
    """What a fault turned out to be, where only the running system could tell."""
    return {} if injection.resolved is injection.fault else {"resolved": faults.told(injection.resolved, links)}


def tables_of(this: Pass) -> dict[str, Rows]:
    """The rows of this episode's tables, with trial, variant and (by due time) phase."""
    assert this.load is not None
    own = {"trial": this.trial, "variant": this.variant.name}
    probes = [asdict(probe) for probe in this.canary.probes] if this.canary else []
    return {
        "operations": [{**row, **own, "phase": _phase_of(this, row["due_s"])} for row in this.load.rows],
        "probes": [{**row, **own} for row in probes],
        "snapshots": [{**row, **own} for row in this.snapshots],
        "series": [{**row, **own} for row in this.series],
    }


def _phase_of(this: Pass, due_s: float) -> str:
    for window in this.windows:
        if due_s < window.end_s:
            return window.name
    return this.windows[-1].name if this.windows else ""
