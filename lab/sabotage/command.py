"""The steps of `lab sabotage`: a run that passes, its forged records, the mutants, the page."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.catalogue import Entry
from lab.catalogue.asked import decides
from lab.kit.places import REPORTS, ROOT
from lab.observe.machine import git_state
from lab.record import Run, read_run, runs_of
from lab.run.inprogress import Options
from lab.run.steps import run_one
from lab.sabotage import mutants, offline, page
from lab.sabotage.ledger import Ledger, Result
from lab.sabotage.mutants import Mutant, Table

BUSY = "machine"  # the condition's word where the machine, not the mutant, made a run UNKNOWN
TRIES = 2


@dataclass(frozen=True)
class Wish:
    """What is asked for. `records`: forged records alone; `fresh`: mutants too whose result is known;
    `touched`: of the mutants those whose code changed since their result, and those that are always run, these first;
    `within_s`: no mutant is begun after so many seconds."""

    records: bool = False
    fresh: bool = False
    touched: bool = False
    mutants: Sequence[str] = ()
    within_s: float = float("inf")
    reports: Path = REPORTS  # where a run that passes is looked for


@dataclass(frozen=True)
class Due:
    """A mutant that is to be run."""

    entry: Entry
    mutant: Mutant
    digest: str


def sabotage(entries: Sequence[Entry], every: Sequence[Entry], wish: Wish, say: Callable[[str], None]) -> list[Result]:
    """Try everything that is asked for, writing down each result as it comes; gives those that were not caught."""
    table, ledger = mutants.read_table(), Ledger()
    ledger.keep_mutants({mutant.name for mutant in table.mutant})
    names = [entry.name for entry in every]
    missed: list[Result] = []
    try:
        for entry in entries if not wish.mutants and not wish.touched else ():
            missed += _forged(entry, table, ledger, wish.reports, say)
        if not wish.records:
            missed += _mutants(list(_due(entries, table, ledger, wish)), ledger, wish, say)
            tried = {result.name for result in missed}
            missed += [r for r in ledger.results("mutant") if _stands(r, entries, wish) and r.name not in tried]
    finally:
        page.write(ledger, names, table.mutant)
    return missed


def _forged(entry: Entry, table: Table, ledger: Ledger, reports: Path, say: Callable[[str], None]) -> list[Result]:
    run = _passing(entry, reports, say)
    if run is None:
        say(f"{entry.name}: no run of it passes here, so no forged record shows anything; passed over")
        return []
    results = list(offline.sabotage(run, table.excuse))
    ledger.replace("forged", entry.name, results)
    missed = [r for r in results if not r.caught and not r.excuse]
    say(f"{entry.name}: {sum(r.caught for r in results)} of {len(results)} forged records caught")
    for result in missed:
        say(f"  not caught: {result.name} ({result.where}): {result.verdict}, {result.reason}")
    return missed


def _passing(entry: Entry, reports: Path, say: Callable[[str], None]) -> Run | None:
    """The newest full run of today's scenario that passes; where there is none, one is made."""
    for folder in reversed(runs_of(reports, entry.name)):
        run = read_run(folder)
        if run.record.is_full and decides(run.record.spec) == decides(entry.spec()) and offline.passes(run):
            return run
    say(f"{entry.name}: no full run of it passes yet; running it")
    run = run_one(entry, Options(seed=1, trials=1, scale=1.0, runtime="local", reports=reports, quiet=True))
    return run if offline.passes(run) else None


def _due(entries: Sequence[Entry], table: Table, ledger: Ledger, wish: Wish) -> Iterator[Due]:
    """Mutants without a result of today's code; those that are always run come first."""
    for mutant in sorted(table.mutant, key=lambda each: not (wish.touched and each.always)):
        entry = next((entry for entry in entries if entry.name == mutant.experiment), None)
        if entry is None or (wish.mutants and mutant.name not in wish.mutants):
            continue
        digest, known = mutants.digest(mutant, entry), ledger.mutant(mutant.name)
        current = known is not None and known.digest == digest
        if not current or wish.fresh or wish.mutants or (wish.touched and mutant.always):
            yield Due(entry, mutant, digest)


def _mutants(due: Sequence[Due], ledger: Ledger, wish: Wish, say: Callable[[str], None]) -> list[Result]:
    """Run them until the time is up; gives those that were not caught."""
    missed: list[Result] = []
    until = time.monotonic() + wish.within_s
    for n, each in enumerate(due):
        if time.monotonic() >= until:
            left = ", ".join(later.mutant.name for later in due[n:])
            say(f"{wish.within_s:.0f} s are over; not run: {left} (make sabotage TOUCHED=1 goes on with them)")
            break
        say(f"{each.entry.name}: {each.mutant.name} ({each.mutant.breaks}) ...")
        result = _try(each, wish.reports, say)
        if result is None:
            continue
        ledger.add(result)
        found = "caught" if result.caught else "NOT CAUGHT"
        say(f"  {found}: {result.verdict}, {result.reason} ({result.took_s:.0f} s)")
        missed += [] if result.caught else [result]
    return missed


def _stands(result: Result, entries: Sequence[Entry], wish: Wish) -> bool:
    """Whether a result from an earlier time says that a mutant of these experiments was not caught."""
    asked = not wish.mutants or result.name in wish.mutants
    return asked and not result.caught and result.experiment in {entry.name for entry in entries}


def _try(due: Due, reports: Path, say: Callable[[str], None]) -> Result | None:
    """Run a mutant, again where the machine was too busy to tell; None where it stayed so, or no run passes."""
    mutant = due.mutant
    passing = _passing(due.entry, reports, say) if mutant.judges else None
    if mutant.judges and passing is None:
        say(f"  no run of {mutant.experiment} passes here, so there is none that it could judge; passed over")
        return None
    for _ in range(TRIES):
        outcome = mutants.judge(mutant, passing.path) if passing else mutants.run(mutant)
        reason = _reason(mutant, outcome)
        told = "UNKNOWN" in mutant.expect and mutant.by != "" and mutant.by in reason  # by the reason, not by the noise
        if outcome.verdict != "UNKNOWN" or told or BUSY not in " ".join(outcome.reasons[:1]):
            right = outcome.verdict in mutant.expect and (not mutant.by or mutant.by in reason)
            commit, _ = git_state(ROOT)
            return Result(
                "mutant", mutant.experiment, mutant.name, mutant.breaks, list(mutant.expect), outcome.verdict,
                reason, right, outcome.took_s, due.digest, commit or "",
            )  # fmt: skip
        say(f"  the machine was too busy to tell: {outcome.reasons[0]}")
    return None


def _reason(mutant: Mutant, outcome: mutants.Outcome) -> str:
    """The reason that was expected, else the first: of another verdict, what is seen all the same is no cause."""
    reasons = outcome.reasons
    expected = (r for r in reasons if mutant.by and mutant.by in r and outcome.verdict in mutant.expect)
    return next(expected, reasons[0] if reasons else "")
