"""The steps of a run, in the order in which they happen."""

from __future__ import annotations

import asyncio
import secrets
import signal
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from threading import Thread

from lab.catalogue import Entry
from lab.catalogue.validate.reach import out_of_reach
from lab.errors import Interrupted, LabError
from lab.kit.limits import complaint, raise_open_files
from lab.kit.places import RULES, STATE
from lab.kit.screen import console
from lab.kit.streams import say, tell
from lab.load.crew import Crew
from lab.load.joining import crew_of, how_to_join
from lab.model import Scenario
from lab.model.parts import Disk
from lab.observe.machine import package_versions
from lab.observe.prometheus import Watch
from lab.record import Run
from lab.record.unfinished import Unfinished
from lab.run.arithmetic import arithmetic
from lab.run.choice import Choice, choose
from lab.run.episode import RunContext, plan_of, play
from lab.run.healing import heal_everything
from lab.run.inprogress import Options, RunInProgress
from lab.run.opening import open_marks, open_prometheus, open_runtime
from lab.run.progress import Progress
from lab.run.results import finish, keep
from lab.run.signals import Signals
from lab.runtime import backing
from lab.runtime.ports import free_port
from lab.runtime.supervisor import Supervisor


def run_one(entry: Entry, options: Options) -> Run:
    """Run an experiment from check to report. Raises LabError where the lab could not do it.

    At Ctrl-C, SIGTERM, SIGHUP and SIGQUIT it stops everything, keeps what was finished, and raises Interrupted.
    """
    signals = Signals("checking")
    try:
        return asyncio.run(_run(entry, options, signals))
    except KeyboardInterrupt:  # while it checked or wrote: nothing runs
        raise Interrupted(signals.caught or signal.SIGINT) from None


async def _run(entry: Entry, options: Options, signals: Signals) -> Run:
    with signals:
        choice = await _check(entry, options)
        signals.stage = "running"
        work = _open(replace(entry, scenario=choice.scenario), options, choice)
        work.notes += choice.left_out
        began = time.monotonic()
        run: Run | None = None
        try:
            with Progress(entry.scenario.title, console(stderr=options.quiet)) as progress:
                async with AsyncExitStack() as stack:
                    await _play_all(work, await _prepare(work, progress, stack))
        except asyncio.CancelledError:
            if signals.caught is None:
                raise
            work.notes.append("interrupted: what was finished by then is kept")
        finally:
            work.notes += work.left
            if work.episodes:
                keep(work)
                signals.stage = "writing"
                run = finish(work, began)
            else:
                work.unfinished.drop()
            for sentence in work.left:  # said too: a run that was broken off shows no notes
                say(sentence)
        if signals.caught is not None or run is None:
            raise Interrupted(signals.caught or signal.SIGINT, *(["interrupted"] if work.left else []))
        return run


async def _check(entry: Entry, options: Options) -> Choice:
    """Name everything that is missing, before anything starts; clean up after labs that died."""
    _crew(entry, options)
    for sentence in await heal_everything(options.reports):
        tell(sentence, aside=True)
    return await choose(options.runtime, entry.scenario)


def _crew(entry: Entry, options: Options) -> Crew:
    return crew_of(entry.scenario.load, options.load_workers, options.load_master, free_port)


def _open(entry: Entry, options: Options, choice: Choice) -> RunInProgress:
    now = time.time()
    plans = [plan_of(entry.scenario, variant, options.scale) for variant in entry.scenario.variants]
    run_id = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now)) + f"-{secrets.token_hex(2)}"
    folder = options.reports / entry.name / run_id
    try:
        unfinished = Unfinished(folder)
    except OSError as error:
        raise LabError(f"{folder}: cannot be made ({error.strerror}); name another folder with --reports") from error
    return RunInProgress(entry, options, choice, run_id, folder, unfinished, now, plans)


def _counting(scenario: Scenario) -> list[str]:
    """Whatever has `/metrics`, by the name that it is known by there."""
    own = [member.name for member in scenario.members if backing.exposes_metrics(member)]
    return own + [Disk(member).name for member in scenario.disks]


async def _prepare(work: RunInProgress, progress: Progress, stack: AsyncExitStack) -> RunContext:
    """Open the supervisor and the runtime, have Prometheus watch."""
    supervisor = await stack.enter_async_context(Supervisor.open(STATE / work.run_id, work.run_id, work.left))
    Thread(target=_warm_up, daemon=True).start()
    progress.say(f"{work.entry.scenario.title}: {work.entry.scenario.question}")
    progress.say(arithmetic(work.entry.spec(work.options.scale), work.options.trials))
    if lent := work.options.lent:
        progress.say(f"not run again: {', '.join(lent.variants)}, reused from run {lent.run.name}")
    if work.entry.turned:
        progress.say(f"knobs turned: {', '.join(each.text for each in work.entry.turned)}")
    beyond = [
        *out_of_reach(work.entry.scenario, work.options.scale, bool(work.entry.turned)),
        *filter(None, [complaint(raise_open_files())]),
    ]
    work.notes += beyond
    for sentence in beyond:
        progress.say(sentence)
    crew = _crew(work.entry, work.options)
    if crew.joined:
        progress.say(how_to_join(crew))
    progress.say(work.choice.text)
    runtime = await open_runtime(work.choice, supervisor, stack)
    watch = Watch(
        services=_counting(work.entry.scenario),
        episodes=[(trial, plan.variant.name) for trial, plan in work.order],
        labels={"scenario": work.entry.name, "run": work.run_id},
        rules=RULES,
        proxy=bool(work.entry.scenario.links),
    )
    logs = work.folder / "logs"
    prometheus = await open_prometheus(runtime, supervisor, logs, watch, stack)
    marks = await open_marks(prometheus, supervisor, logs, work.entry.name, work.notes.append)
    stack.push_async_callback(marks.finish)
    if marks.dashboard:
        progress.say(f"Grafana {marks.version} shows this run: {marks.dashboard}")
    context = RunContext(
        scenario=work.entry.scenario,
        name=work.entry.name,
        run_id=work.run_id,
        folder=work.folder,
        supervisor=supervisor,
        runtime=runtime,
        prometheus=prometheus,
        progress=progress,
        crew=crew,
        marks=marks,
    )
    _note_parts(work, context)
    return context


def _note_parts(work: RunInProgress, context: RunContext) -> None:
    """Keep what the run stands on, as far as it is known by now."""
    work.proxy = context.runtime.proxy
    work.grafana = context.marks.url
    grafana = {"Grafana": context.marks.version} if context.marks.version else {}
    work.versions = {**package_versions(), **context.runtime.versions(), **grafana}


def _warm_up() -> None:
    """Import the charts, which takes a second, while the first stack starts and there is nothing else to do."""
    from lab.report.charts import render

    render.warm_up()


async def _play_all(work: RunInProgress, context: RunContext) -> None:
    """Play the episodes in their order; a trial's seed is the same for all its variants."""
    try:
        for trial, plan in work.order:
            work.episodes.append(await play(context, plan, trial, work.options.seed + trial - 1))
    finally:
        await context.marks.finish()
        _note_parts(work, context)
        work.left += context.runtime.left
