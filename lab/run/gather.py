"""The steps of `lab evidence`: take up the runs that are there, make those that are missing, write the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.catalogue import Entry
from lab.errors import Interrupted, LabError, RecordError
from lab.evidence import page
from lab.evidence.counting import clean_commit, counted, today
from lab.evidence.facts import DECIDED, Body
from lab.evidence.ledger import Ledger
from lab.record import read_run, runs_of
from lab.run.inprogress import Options
from lab.run.steps import run_one

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Wish:
    """What is asked for: seeds 1 to `seeds` of each experiment in `runtime`, the runs below `folders` taken up first.

    `run` False makes none; `fresh` makes all, and forgets those before.
    """

    seeds: int = 3
    runtime: str = "local"
    folders: Sequence[Path] = ()
    run: bool = True
    fresh: bool = False


@dataclass
class Gathered:
    """What came of it: runs made, those asked for that FAIL or prove nothing, and experiments that could not run."""

    made: int = 0
    failed: int = 0
    unknown: int = 0
    broken: int = 0


def gather(entries: Sequence[Entry], every: Sequence[Entry], wish: Wish, reports: Path, say: Tell) -> Gathered:
    """Take up, run and write down; each run is in the ledger when it ends. Raises LabError where no run would count."""
    commit = clean_commit()
    ledger, digests = Ledger(), {entry.name: today(entry, commit) for entry in every}
    ledger.keep(list(digests))
    done = Gathered()
    try:
        if not wish.fresh:
            for folder in wish.folders:
                _take_up(folder, entries, ledger, digests, say)
        if wish.run:
            _make(entries, ledger, digests, wish, reports, done, say)
    except Interrupted:
        say("`make evidence` resumes with what is missing")
        raise
    finally:
        page.write(ledger, digests)
    for entry in entries:
        for seed in range(1, wish.seeds + 1):
            body = ledger.of(entry.name, wish.runtime, digests[entry.name])
            verdicts = {run.verdict for run in body.of(seed)} if body else set[str]()
            done.failed += "FAIL" in verdicts
            done.unknown += not verdicts.intersection(DECIDED)
    return done


def _take_up(folder: Path, entries: Sequence[Entry], ledger: Ledger, digests: dict[str, str], say: Tell) -> None:
    """Take up every run below a folder that counts; says how many did not, and why."""
    taken, left = 0, Counter[str]()
    for entry in entries:
        for path in runs_of(folder, entry.name):
            try:
                found = counted(entry, read_run(path).record, digests[entry.name])
            except RecordError:
                found = "that cannot be read"
            if isinstance(found, str):
                left[found] += 1
            else:
                ledger.add(found)
                taken += 1
    why = ", ".join(f"{count} {reason}" for reason, count in left.most_common())
    if taken or left:
        say(f"{folder}: {taken} runs counted" + (f"; left out: {why}" if why else ""))


def _make(
    entries: Sequence[Entry],
    ledger: Ledger,
    digests: dict[str, str],
    wish: Wish,
    reports: Path,
    done: Gathered,
    say: Tell,
) -> None:
    """Make the missing runs, seed by seed over all experiments, so that what is broken off has some of each."""
    old = {entry.name for entry in entries} if wish.fresh else set[str]()  # until there is a run in their place
    for seed in range(1, wish.seeds + 1):
        for entry in entries:
            known = ledger.of(entry.name, wish.runtime, digests[entry.name])
            if not wish.fresh and _decided(known, seed):
                continue
            say(f"{entry.name}, seed {seed}, {wish.runtime} ...")
            try:
                run = run_one(entry, Options(seed, 1, 1.0, wish.runtime, reports, quiet=True))
            except LabError as error:
                say(f"  did not run: {error}")
                done.broken += 1
                continue
            done.made += 1
            found = counted(entry, run.record, digests[entry.name])
            if isinstance(found, str):
                raise LabError(f"{run.path}: does not count, it is {found}; run `make evidence` again")
            ledger.add(found, anew=entry.name in old)
            old.discard(entry.name)
            seen = found.runs[0]
            say(f"  {seen.verdict}" + (f": {seen.reason}" if seen.verdict != "PASS" else ""))


def _decided(body: Body | None, seed: int) -> bool:
    """Whether a run of that seed proved something: one that is UNKNOWN is made again, and both are counted."""
    return body is not None and any(run.verdict in DECIDED for run in body.of(seed))
