"""The steps of a run, in the order in which they happen, and what can be done with a run afterwards."""

from __future__ import annotations

import asyncio
import secrets
import shlex
import signal
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from lab.catalogue import Entry, chapters, handbook, read_all, shown
from lab.catalogue.validate.reach import out_of_reach
from lab.errors import Interrupted, LabError
from lab.kit.limits import complaint, raise_open_files
from lab.kit.places import ROOT, RULES, SCENARIOS, STATE
from lab.kit.screen import console
from lab.kit.streams import say, visible
from lab.load.crew import Crew
from lab.load.joining import crew_of, how_to_join
from lab.model import Variant
from lab.observe.machine import git_state, machine, package_versions
from lab.observe.prometheus import Watch
from lab.record import (
    RECORD_VERSION,
    TABLES,
    Record,
    Run,
    point_to_latest,
    read_run,
    runs_of,
    with_judgement,
    write_record,
    write_table,
)
from lab.record.unfinished import Unfinished
from lab.run.choice import Choice, choose
from lab.run.episode import EpisodeCapture, RunContext, episode_of, play, tables_of
from lab.run.healing import heal_everything
from lab.run.opening import open_marks, open_prometheus, open_runtime
from lab.run.plan import plan
from lab.run.progress import Progress
from lab.run.signals import Signals
from lab.runtime import backing
from lab.runtime.ports import free_port
from lab.runtime.supervisor import Supervisor
from lab.verdict import judge

if TYPE_CHECKING:
    from lab.report import Neighbour


@dataclass(frozen=True)
class Options:
    """How an experiment is run. `runtime` None leaves the choice to the lab.

    `quiet` sends the progress to standard error, so that standard output is data. `load_workers` processes carry the
    load; with `load_master` (HOST:PORT) they join from other machines.
    """

    seed: int
    trials: int
    scale: float
    runtime: str | None
    reports: Path
    quiet: bool = False
    load_workers: int = 1
    load_master: str = ""


@dataclass
class Work:
    """A run in progress: what it has so far."""

    entry: Entry
    options: Options
    choice: Choice
    run_id: str
    folder: Path
    unfinished: Unfinished
    started_epoch_s: float
    passes: list[EpisodeCapture] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)  # what could not be stopped
    versions: dict[str, str] = field(default_factory=dict)
    proxy: str = ""
    grafana: str = ""


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
            if work.passes:
                _keep(work)
                signals.stage = "writing"
                run = _finish(work, began)
            else:
                work.unfinished.drop()
            for sentence in work.left:  # said too: a run that was broken off shows no notes
                say(sentence)
        if signals.caught is not None or run is None:
            raise Interrupted(signals.caught or signal.SIGINT, *(["interrupted"] if work.left else []))
        return run


# --- the steps --------------------------------------------------------------------------------------------------


async def _check(entry: Entry, options: Options) -> Choice:
    """Name everything that is missing, before anything starts; clean up after labs that died."""
    _crew(entry, options)
    for sentence in await heal_everything(options.reports):
        print(visible(sentence), file=sys.stderr)
    return await choose(options.runtime, entry.scenario)


def _crew(entry: Entry, options: Options) -> Crew:
    return crew_of(entry.scenario.load, options.load_workers, options.load_master, free_port)


def _open(entry: Entry, options: Options, choice: Choice) -> Work:
    now = time.time()
    run_id = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now)) + f"-{secrets.token_hex(2)}"
    folder = options.reports / entry.name / run_id
    try:
        unfinished = Unfinished(folder)
    except OSError as error:
        raise LabError(f"{folder}: cannot be made ({error.strerror}); name another folder with --reports") from error
    return Work(entry, options, choice, run_id, folder, unfinished, now)


async def _prepare(work: Work, progress: Progress, stack: AsyncExitStack) -> RunContext:
    """Open the supervisor and the runtime, have Prometheus watch."""
    supervisor = await stack.enter_async_context(Supervisor.open(STATE / work.run_id, work.run_id, work.left))
    Thread(target=_warm_up, daemon=True).start()
    progress.say(f"{work.entry.scenario.title}: {work.entry.scenario.question}")
    progress.say(plan(work.entry.spec(work.options.scale), work.options.trials))
    beyond = [*out_of_reach(work.entry.scenario, work.options.scale), *filter(None, [complaint(raise_open_files())])]
    work.notes += beyond
    for sentence in beyond:
        progress.say(sentence)
    crew = _crew(work.entry, work.options)
    if crew.joined:
        progress.say(how_to_join(crew))
    progress.say(work.choice.text)
    runtime = await open_runtime(work.choice, supervisor, stack)
    watch = Watch(
        services=[member.name for member in work.entry.scenario.members if backing.counts(member)],
        episodes=[(trial, variant.name) for trial, variant in _order(work)],
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
        scale=work.options.scale,
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


def _note_parts(work: Work, context: RunContext) -> None:
    """Keep what the run stands on, as far as it is known by now."""
    work.proxy = context.runtime.proxy
    work.grafana = context.marks.url
    grafana = {"Grafana": context.marks.version} if context.marks.version else {}
    work.versions = {**package_versions(), **context.runtime.versions(), **grafana}


def _warm_up() -> None:
    """Import the charts, which takes a second, while the first stack starts and there is nothing else to do."""
    from lab.report.charts import render

    render.warm_up()


def _order(work: Work) -> list[tuple[int, Variant]]:
    """Every variant in every trial. Odd trials begin with the control, even ones end with it (interleaving)."""
    order: list[tuple[int, Variant]] = []
    for trial in range(1, work.options.trials + 1):
        variants = list(work.entry.scenario.variants)
        order += [(trial, variant) for variant in (variants if trial % 2 else reversed(variants))]
    return order


async def _play_all(work: Work, context: RunContext) -> None:
    """Play the episodes in their order; a trial's seed is the same for all its variants."""
    try:
        for trial, variant in _order(work):
            work.passes.append(await play(context, trial, variant, work.options.seed + trial - 1))
    finally:
        await context.marks.finish()
        _note_parts(work, context)
        work.left += context.runtime.left


def _keep(work: Work) -> None:
    """Write the record down, not judged yet."""
    tables: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    for done in work.passes:
        for name, rows in tables_of(done).items():
            tables[name].extend(rows)
    for name, rows in tables.items():
        write_table(work.folder, name, rows)
    write_record(work.folder, _record(work))
    work.unfinished.finish()


def _finish(work: Work, began: float) -> Run:
    """Judge the record, write the reports."""
    run = read_run(work.folder)
    phases_s = sum(w.end_s - w.start_s for done in work.passes for w in done.windows)
    record = with_judgement(run.record, judge(run))
    record = replace(record, overhead_s=round(time.monotonic() - began - phases_s, 2))  # the report says this
    write_record(work.folder, record)
    if record.judgement:
        say(f"{record.judgement.verdict}; the report is being drawn")  # which takes longer than all else here
    write_reports(replace(run, record=record), work.options.reports)
    record = replace(record, overhead_s=round(time.monotonic() - began - phases_s, 2))  # and this is with the report
    write_record(work.folder, record)
    if sentence := point_to_latest(work.folder):
        say(sentence)
    return replace(run, record=record)


def _record(work: Work) -> Record:
    commit, dirty = git_state(ROOT)
    options = work.options
    return Record(
        version=RECORD_VERSION,
        run=work.run_id,
        spec=work.entry.spec(options.scale),
        runtime=work.choice.name,
        runtime_why=work.choice.why,
        seed=options.seed,
        trials=options.trials,
        scale=options.scale,
        command=_command(work),
        started_epoch_s=work.started_epoch_s,
        finished_epoch_s=time.time(),
        machine=machine(),
        versions=work.versions,
        proxy=work.proxy,
        grafana=work.grafana,
        git_commit=commit,
        git_dirty=dirty,
        episodes=[episode_of(done, work.entry.scenario.links) for done in work.passes],
        overhead_s=0.0,
        notes=work.notes,
    )


def _command(work: Work) -> str:
    """What repeats the run."""
    options, file = work.options, work.entry.file
    name = work.entry.name if file.is_relative_to(SCENARIOS) else shown(file)
    words = ["make", "scenario", f"NAME={shlex.quote(name)}", f"SEED={options.seed}"]
    words += [f"TRIALS={options.trials}"] if options.trials > 1 else []
    words += [f"SCALE={options.scale:g}"] if options.scale != 1 else []
    words += [f"LOAD_WORKERS={options.load_workers}"] if options.load_workers > 1 else []
    words += [f"LOAD_MASTER={shlex.quote(options.load_master)}"] if options.load_master else []
    words += [f"RUNTIME={options.runtime}"] if options.runtime else []
    return " ".join(words)


# --- afterwards -------------------------------------------------------------------------------------------------


def rejudge(run: Run) -> Run:
    """Judge a saved run again, with this lab's metrics and checkers, and write the judgement down."""
    record = with_judgement(run.record, judge(run))
    write_record(run.path, record)
    return replace(run, record=record)


def write_reports(run: Run, reports: Path) -> Path:
    """Write a run's report and the index of all; gives the path of the report."""
    from lab import report

    entries, _ = read_all()
    page = report.write_report(run, _neighbours(run, entries))
    report.write_index(
        reports,
        list(handbook.sections().values()),
        [report.Entry(e.name, e.scenario.title, e.scenario.question, e.scenario.sections) for e in entries],
        chapters.read(),
        [report.Step(name, text) for name, text in chapters.path()],
    )
    return page


def _neighbours(run: Run, entries: list[Entry]) -> list[Neighbour]:
    """The run before, and the experiments before and after in the handbook's order."""
    from lab.report import Neighbour

    found: list[Neighbour] = []
    earlier = [path for path in runs_of(run.path.parent.parent, run.record.spec.name) if path.name < run.path.name]
    if earlier:
        found.append(Neighbour("the run before", earlier[-1].name, f"../{earlier[-1].name}/index.html"))
    names = [entry.name for entry in entries]
    if run.record.spec.name in names:
        at = names.index(run.record.spec.name)
        for label, other in (("the experiment before", at - 1), ("the next experiment", at + 1)):
            if 0 <= other < len(entries) and (run.path.parent.parent / names[other] / "latest").exists():
                page = f"../../{names[other]}/latest/index.html"
                found.append(Neighbour(label, entries[other].scenario.title, page))
    return found
