"""The steps of a sweep: a run for each value that has none yet, then the report over all of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from lab.catalogue import read_all, shown
from lab.errors import Interrupted, LabError
from lab.kit.places import ROOT
from lab.observe.machine import git_state
from lab.record import Run, read_run
from lab.report.sweep import Swept, write_sweep
from lab.run.inprogress import Options
from lab.run.lent import Lent
from lab.run.results import write_index
from lab.run.steps import run_one
from lab.sweep import state as states
from lab.sweep.asked import Asked, Question, command
from lab.sweep.state import Point, State


def sweep(question: Question, options: Options, fresh: bool, say: Callable[[str], None]) -> tuple[Path, Swept]:
    """Run what is left of a sweep, in the order of its values; gives the report's path and what it shows.

    At Ctrl-C, and where a run cannot be made, the finished points are kept and drawn, and the error says how to go on.
    """
    folder, state = _open(question, options, fresh, say)
    done = {point.value for point in state.points}
    try:
        for value, entry in question.points:
            if value in done:
                continue
            say(f"{question.asked.knob}={value}: point {len(state.points) + 1} of {len(question.points)}")
            run = run_one(entry, replace(options, lent=_lender(question, options, state)))
            state.points.append(Point(value, run.path.name))
            states.write(folder, state)
    except Interrupted as error:
        raise Interrupted(error.number, f"{error}; {_kept(question, options, folder, state)}") from None
    except LabError as error:
        raise LabError(f"{error}\n{_kept(question, options, folder, state)}") from error
    return _report(question.asked, options, folder, state)


def _open(question: Question, options: Options, fresh: bool, say: Callable[[str], None]) -> tuple[Path, State]:
    name, now = question.points[0][1].name, time.time()
    if not fresh and (found := states.unfinished(options.reports, name, question.asked)):
        folder, state = found
        say(f"resuming {shown(folder)}: {len(state.points)} of {len(question.points)} points are done")
        return found
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    return options.reports / name / "sweeps" / stamp, State(question.asked, now)


def _lender(question: Question, options: Options, state: State) -> Lent | None:
    """The first point whose run can lend the variants that no value changes: proved sound, and of today's code."""
    if not question.kept:
        return None
    commit = git_state(ROOT)
    for point in state.points:
        path = options.reports / question.points[0][1].name / point.run
        record = read_run(path).record
        sound = record.judgement is not None and record.judgement.verdict != "UNKNOWN"
        if sound and not record.lent and (record.git_commit, record.git_dirty) == commit:
            return Lent(path, question.kept)
    return None


def _kept(question: Question, options: Options, folder: Path, state: State) -> str:
    """What is there of a sweep that was broken off, and how to go on."""
    if not state.points:
        return "no point was finished"
    page, _ = _report(question.asked, options, folder, state)
    kept = f"{len(state.points)} of {len(question.points)} points are kept in {shown(page)}"
    return f"{kept}; resume with: {command(question.asked)}"


def _report(asked: Asked, options: Options, folder: Path, state: State) -> tuple[Path, Swept]:
    experiment = folder.parent.parent
    order = {value: at for at, value in enumerate(asked.values)}
    runs: list[tuple[str, Run]] = [
        (point.value, read_run(experiment / point.run)) for point in sorted(state.points, key=lambda p: order[p.value])
    ]
    swept = Swept(asked.knob, asked.values, runs, command(asked))
    page = write_sweep(folder, swept)
    write_index(options.reports, read_all()[0])
    return page, swept
