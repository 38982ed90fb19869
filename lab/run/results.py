"""What becomes of a run: its record, the judgement, the reports; and both again, later."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.catalogue import Entry, chapters, handbook, read_all, shown
from lab.errors import LabError
from lab.evidence.facts import Body
from lab.evidence.ledger import Ledger
from lab.kit.places import ROOT, SCENARIOS
from lab.kit.streams import say
from lab.observe.machine import git_state, machine
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
from lab.run.episode import episode_of, tables_of
from lab.run.inprogress import RunInProgress
from lab.run.lent import Lent
from lab.verdict import judge

if TYPE_CHECKING:
    from lab.report import Neighbour


def keep(work: RunInProgress) -> None:
    """Write the record down, not judged yet."""
    tables: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    for done in work.episodes:
        for name, rows in tables_of(done).items():
            tables[name].extend(rows)
    if work.options.lent:
        add_lent(work.options.lent, work.folder, tables)
    for name, rows in tables.items():
        write_table(work.folder, name, rows)
    write_record(work.folder, _record(work))
    work.unfinished.finish()


def add_lent(lent: Lent, folder: Path, tables: dict[str, list[dict[str, Any]]]) -> None:
    """Put the rows of lent episodes before a run's own, and their files into its folder."""
    lent.copy_files(folder)
    for name, rows in tables.items():
        rows[:0] = lent.rows(name)


def finish(work: RunInProgress, began: float) -> Run:
    """Judge the record and write the reports; the record is written once, with what judging and the page took."""
    run = read_run(work.folder)
    phases_s = sum(w.end_s - w.start_s for done in work.episodes for w in done.windows)

    def so_far(record: Record) -> Record:
        return replace(record, overhead_s=round(time.monotonic() - began - phases_s, 2))

    entries, _ = read_all()
    record = so_far(with_judgement(run.record, judge(run)))
    if record.judgement:
        say(f"{record.judgement.verdict}; the report is being drawn")  # which takes longer than all else here
    try:
        write_page(replace(run, record=record), entries)
    finally:  # the judgement is kept, whatever becomes of its page
        record = so_far(record)
        write_record(work.folder, record)
    write_index(work.options.reports, entries)
    if sentence := point_to_latest(work.folder):
        say(sentence)
    return replace(run, record=record)


def _record(work: RunInProgress) -> Record:
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
        episodes=[
            *(options.lent.episodes() if options.lent else ()),
            *(episode_of(done, work.entry.scenario.links) for done in work.episodes),
        ],
        overhead_s=0.0,
        notes=work.notes,
        turned=list(work.entry.turned),
        predictions=list(options.predictions),
        lent=dict.fromkeys(options.lent.variants, options.lent.run.name) if options.lent else {},
    )


def _command(work: RunInProgress) -> str:
    """What repeats the run."""
    options, file = work.options, work.entry.file
    name = work.entry.name if file.is_relative_to(SCENARIOS) else shown(file)
    words = ["make", "scenario", f"NAME={shlex.quote(name)}", f"SEED={options.seed}"]
    turned = " ".join(f"{each.knob}={each.value}" for each in work.entry.turned)
    words += [f"SET={shlex.quote(turned)}"] if turned else []
    words += [f"TRIALS={options.trials}"] if options.trials > 1 else []
    words += [f"SCALE={options.scale:g}"] if options.scale != 1 else []
    words += [f"LOAD_WORKERS={options.load_workers}"] if options.load_workers > 1 else []
    words += [f"LOAD_MASTER={shlex.quote(options.load_master)}"] if options.load_master else []
    words += [f"RUNTIME={options.runtime}"] if options.runtime else []
    return " ".join(words)


def rejudge(run: Run) -> Run:
    """Judge a saved run again, with this lab's metrics and checkers, and write the judgement down."""
    record = with_judgement(run.record, judge(run))
    write_record(run.path, record)
    return replace(run, record=record)


def write_reports(run: Run, reports: Path) -> Path:
    """Write a run's report and the index of all; gives the path of the report."""
    entries, _ = read_all()
    page = write_page(run, entries)
    write_index(reports, entries)
    return page


def write_page(run: Run, entries: list[Entry]) -> Path:
    """Write a run's report; gives its path."""
    from lab import report

    return report.write_report(run, _neighbours(run, entries))


def write_comparison(runs: Sequence[Run], reports: Path) -> Path:
    """Write the page of several runs of one experiment side by side; gives its path."""
    from lab import report

    return report.write_comparison(runs, reports)


def write_index(reports: Path, entries: list[Entry]) -> None:
    """Write the index of all runs below a folder."""
    from lab import report

    report.write_index(
        reports,
        list(handbook.sections().values()),
        [report.Entry(e.name, e.scenario.title, e.scenario.question, e.scenario.sections) for e in entries],
        chapters.read(),
        [report.Step(name, text) for name, text in chapters.path()],
        _evidence(),
    )


def _evidence() -> list[Body]:
    """What the counted runs say; where that cannot be read, the index is written without it."""
    try:
        return Ledger().bodies()
    except LabError as error:
        say(str(error))
        return []


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
