"""docs/sabotage.md: what was broken, and what noticed it."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from lab.kit.places import ROOT
from lab.sabotage.edits import EDITS
from lab.sabotage.ledger import Ledger, Result
from lab.sabotage.mutants import Mutant

FILE = ROOT / "docs" / "sabotage.md"
LONGEST_REASON = 160

HEAD = """\
# Sabotage: what a PASS was tried against

Written by `make sabotage`; the results behind it are in [sabotage.json](sabotage.json). What a PASS rests on, and what
it cannot know, is in [How much a PASS is worth](how-much-a-pass-is-worth.md).

A **forged record** is the record of a run that passed, changed as a lying load generator, fault or service would have
changed it, and judged again. A **mutant** is a patch of a target, a pattern or the engine, with which the experiment is
really run; one of a checker or a metric judges the record of a run that passed. Where the lab's own part fails the
right answer is UNKNOWN; where the pattern fails it is FAIL, or a control that did not hurt. None may pass.
"""


def write(ledger: Ledger, experiments: Sequence[str], table: Sequence[Mutant], file: Path = FILE) -> None:
    """Write the page from the ledger; mutants of the table without a result are named as such."""
    known = {result.name for result in ledger.results("mutant")}
    left = [mutant for mutant in table if mutant.name not in known]
    parts = [HEAD, *_summary(ledger, experiments, left), *_edits(), *_tables(ledger, experiments, left)]
    file.write_text("\n".join(parts) + "\n")


def _summary(ledger: Ledger, experiments: Sequence[str], left: Sequence[Mutant]) -> Iterator[str]:
    yield "| Experiment | Forged records caught | Mutants caught | Not run yet | Excused |"
    yield "|---|---:|---:|---:|---:|"
    for name in experiments:
        forged, mutants = ledger.results("forged", name), ledger.results("mutant", name)
        excused = sum(bool(r.excuse) and not r.caught for r in [*forged, *mutants])
        wanting = sum(mutant.experiment == name for mutant in left)
        yield f"| [{name}](#{name}) | {_of(forged)} | {_of(mutants)} | {wanting or ''} | {excused or ''} |"
    every = ledger.results()
    yield f"| all | {_of(ledger.results('forged'))} | {_of(ledger.results('mutant'))} | {len(left) or ''} | |"
    took_min = sum(r.took_s for r in every) / 60
    yield f"\nJudging the forged records and running the mutants took {took_min:.0f} min.\n"
    commits = Counter(result.commit for result in ledger.results("mutant") if result.commit)
    if commits:
        on = ", ".join(f"{commit[:7]} ({n})" for commit, n in sorted(commits.items()))
        yield f"Mutants were run on {on}; `make sabotage` runs those again whose code has changed since.\n"


def _of(results: Sequence[Result]) -> str:
    return f"{sum(r.caught for r in results)} of {len(results)}" if results else ""


def _edits() -> Iterator[str]:
    yield "## The edits\n"
    for name, function in EDITS.items():
        yield f"- **{name}**: {(inspect.getdoc(function) or '').splitlines()[0]}"
    yield ""


def _tables(ledger: Ledger, experiments: Sequence[str], left: Sequence[Mutant]) -> Iterator[str]:
    for name in experiments:
        yield f"## {name}\n"
        mutants = ledger.results("mutant", name)
        wanting = [mutant for mutant in left if mutant.experiment == name]
        if mutants or wanting:
            yield "| Mutant | What it breaks | Verdict | Noticed by |"
            yield "|---|---|---|---|"
            yield from (f"| {r.name} | {_cell(r.where)} | {_verdict(r)} | {_reason(r)} |" for r in mutants)
            yield from (f"| {mutant.name} | {_cell(mutant.breaks)} | not run yet | |" for mutant in wanting)
            yield ""
        forged = ledger.results("forged", name)
        if forged:
            yield "| Edit | Where | Verdict | Noticed by |"
            yield "|---|---|---|---|"
            yield from (f"| {r.name} | {_cell(r.where)} | {_verdict(r)} | {_reason(r)} |" for r in forged)
            yield ""
        if not mutants and not wanting and not forged:
            yield "Not tried yet.\n"


def _verdict(result: Result) -> str:
    if result.caught:
        return result.verdict
    return f"{result.verdict} (excused)" if result.excuse else f"**{result.verdict}**, not caught"


def _reason(result: Result) -> str:
    return _cell(result.excuse if result.excuse and not result.caught else result.reason)


def _cell(text: str) -> str:
    short = text if len(text) <= LONGEST_REASON else text[: LONGEST_REASON - 2].rsplit(" ", 1)[0] + " …"
    return short.replace("|", "\\|").replace("\n", " ")
