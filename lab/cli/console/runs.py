"""Runs in the terminal: the verdict of one, several side by side, a line for each of many."""

from __future__ import annotations

import json
import string
from collections.abc import Sequence
from itertools import groupby

from rich.text import Text

from lab.catalogue import shown
from lab.cli.console.advice import try_next
from lab.cli.console.data import last_full, notes_of, run_data
from lab.cli.console.predictions import scored
from lab.cli.console.shapes import MARKS, SHORT, STYLES, Cell, dim, lines, link, list_of, mark, put, table
from lab.kit.screen import console, lasting
from lab.record import ClaimResult, InvariantResult, Run
from lab.record.words import bounds, lateness, nearest_bound, quantity, what_of_whom
from lab.verdict.draws import draws

MOST_REASONS = 5
CLAIM_NEEDS, CELL_NEEDS = 28, 17  # columns, side by side


def outcome(run: Run, as_json: bool, *notes: str) -> None:
    """Print the verdict of a run, with notes of the moment, or all of it for a machine."""
    if as_json:
        print(json.dumps(run_data(run), indent=2))
    else:
        verdict(run, *notes)


def verdict(run: Run, *notes: str) -> None:
    """Print the claims of a run, its verdict with the reasons, where its report is, and what to try next."""
    to = console()
    record, judgement = run.record, run.record.judgement
    if judgement is None:
        put(to, Text(f"{shown(run.path)} was not judged: it is still being written, or the lab died"))
        return
    rows = [_claim_row(claim) for claim in judgement.claims]
    for _, group in groupby(judgement.invariants, key=lambda result: result.invariant):
        rows += _invariant_rows(list(group))
    put(to, "", table(to, ["verdict", "claim", "measured", "asked"], rows, fixed=(0,)), "")
    if record.predictions:
        scored(record.predictions, judgement)
    reasons = judgement.reasons[:MOST_REASONS]
    if len(judgement.reasons) > MOST_REASONS:
        reasons.append(f"and {len(judgement.reasons) - MOST_REASONS} more")
    title = Text(record.spec.title, "bold")
    put(to, list_of([(mark(judgement.verdict), lines(title, *reasons))]))
    told = [("  note  ", Text(note, "yellow")) for note in [*notes_of(record), *notes]]
    made = draws(judgement, record.trials)
    put(to, list_of([*_unlike(run), ("  time  ", _time(run)), *([("  odds  ", made)] if made else []), *told]))
    page = run.path / "index.html"
    if page.exists():
        put(to, Text("  report  ").append_text(link(page, shown(page))), whole_lines=True)
    put(to, list_of([("  next  ", try_next(record))]))


def _unlike(run: Run) -> list[tuple[Cell, Cell]]:
    """The knobs that were turned, and what the catalogue's own last run was: neither takes the other's place."""
    record = run.record
    if record.is_full:
        return []
    knobs = ", ".join(each.text for each in record.turned)
    full = last_full(run.path.parent.parent, record.spec.name)
    last = full.record if full else None
    own = f"{last.judgement.verdict} ({last.run})" if last and last.judgement else "not run yet"
    beside: tuple[Cell, Cell] = ("  beside  ", f"the catalogue's own last run: {own}")
    return [("  knobs  ", Text(knobs, "yellow")), beside] if knobs else [beside]


def _time(run: Run) -> str:
    record = run.record
    phases_s = sum(episode.phases[-1].end_s for episode in record.episodes if episode.phases)
    scale = f", scale {record.scale:g}" if record.scale != 1 else ""
    trials = f", {record.trials} trials" if record.trials > 1 else ""
    return f"{lasting(phases_s)} of phases, {record.overhead_s:.1f} s over them; seed {record.seed}{scale}{trials}"


def _claim_row(result: ClaimResult) -> tuple[Cell, ...]:
    claim = result.claim
    what = f", {what_of_whom(claim.metric)}" if claim.metric.unit == "ms" else ""
    kind = " (control: must hurt)" if claim.control else " (price)" if claim.price else ""
    where = f"{claim.variant}, {claim.phase}{what}{kind}"
    why = dim(result.why) if result.verdict == "UNKNOWN" else None
    late = lateness(result.late, claim)
    told = lines(claim.text, dim(where), _interval(result), why)
    return mark(result.verdict), told, lines(_value(result), dim(late) if late else None), bounds(claim)


def _value(result: ClaimResult) -> str:
    if result.value is None:
        return "-"
    beside = nearest_bound(result.claim, result.value)
    return ("≥ " if result.censored else "") + quantity(result.value, result.claim, beside)


def _interval(result: ClaimResult) -> Text | None:
    if result.interval is None:
        return None
    interval, claim = result.interval, result.claim
    low = quantity(interval.low, claim, nearest_bound(claim, interval.low))
    if interval.high is None:
        return dim(f"{interval.trials} trials, from {low} to more than is known")
    high = quantity(interval.high, claim, nearest_bound(claim, interval.high))
    return dim(f"{interval.confidence:.0%} interval {low} to {high}, {interval.trials} trials")


def _invariant_rows(results: Sequence[InvariantResult]) -> list[tuple[Cell, ...]]:
    """An invariant once, and below it a row for each variant."""
    first, *others = results
    return [
        (mark(first.verdict), lines(first.invariant.text, _of_variant(first)), *_counted(first)),
        *((mark(other.verdict), _of_variant(other), *_counted(other)) for other in others),
    ]


def _of_variant(result: InvariantResult) -> Text:
    why = f": {result.why}" if result.verdict == "UNKNOWN" else ""
    return dim(f"{result.variant}, whole run{why}")


def _counted(result: InvariantResult) -> tuple[str, str]:
    measured = f"{result.violations:,} of {result.checked:,}" if result.checked else "-"
    return measured, "to be broken" if result.variant in result.invariant.broken_in else "no violation"


def summary(results: Sequence[tuple[str, str, str]]) -> None:
    """Print a line for each experiment: verdict, name, report or reason. No line is broken: paths are copied."""
    to = console()
    widest = max((len(name) for name, _, _ in results), default=0)
    put(to, "")
    for name, outcome, about in results:
        first, *rest = about.splitlines() or [""]
        said = mark(outcome)
        said.pad_right(SHORT - len(said.plain))
        put(to, Text.assemble(said, f"{name:<{widest}}  {first}"), *(f"  {line}" for line in rest), whole_lines=True)


def compare(runs: Sequence[Run]) -> None:
    """Print the claims and invariants of several runs of one experiment side by side, each run under a letter."""
    to = console()
    letters = [string.ascii_uppercase[at] if at < 26 else str(at + 1) for at in range(len(runs))]
    put(
        to,
        Text(runs[0].record.spec.title, "bold"),
        list_of([(k, _header(run)) for k, run in zip(letters, runs, strict=True)]),
    )
    judged = [run.record.judgement for run in runs]
    rows: list[list[Cell]] = []
    claims = [{result.claim.text: result for result in one.claims} if one else {} for one in judged]
    for text in dict.fromkeys(text for results in claims for text in results):
        first = next(results[text] for results in claims if text in results)
        where = dim(f"{first.claim.variant}, {first.claim.phase}; {bounds(first.claim)}")
        cells = [_compared(results.get(text), bounds(first.claim)) for results in claims]
        rows.append([lines(text, where), *cells])
    kept = [{(r.invariant.text, r.variant): r for r in one.invariants} if one else {} for one in judged]
    for text, variant in dict.fromkeys(key for found in kept for key in found):
        cells = [_kept(found.get((text, variant))) for found in kept]
        rows.append([lines(text, dim(f"{variant}, whole run")), *cells])
    fixed = range(1, 1 + len(runs))
    put(to, "", table(to, ["claim", *letters], rows, fixed, needs=CLAIM_NEEDS + CELL_NEEDS * len(runs)))


def _header(run: Run) -> Text:
    record = run.record
    verdict = mark(record.judgement.verdict) if record.judgement else dim("not judged")
    facts = f"  seed {record.seed}, scale {record.scale:g}, trials {record.trials}, {record.proxy.split(' (')[0]}"
    knobs = "".join(f", {each.knob}={each.value}" for each in record.turned)
    return Text.assemble(verdict, f"  {record.run}", (facts, "dim"), knobs)


def _compared(result: ClaimResult | None, asked: str) -> Text:
    if result is None:
        return dim("not claimed")
    mine = bounds(result.claim)
    cell = Text.assemble((MARKS[result.verdict], STYLES[result.verdict]), f" {_value(result)}")
    return cell if mine == asked else lines(cell, dim(mine))


def _kept(result: InvariantResult | None) -> Text:
    if result is None:
        return dim("not claimed")
    return Text.assemble((MARKS[result.verdict], STYLES[result.verdict]), f" {_counted(result)[0]}")
