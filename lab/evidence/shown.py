"""Evidence in words, as the page, the chapters and the index say it."""

from __future__ import annotations

from collections.abc import Sequence

from lab.evidence.facts import Body, Count, Row
from lab.record import Verdict
from lab.record.words import nearest_bound, quantity

VERDICTS: tuple[Verdict, ...] = ("PASS", "FAIL", "UNKNOWN")


def verdicts(body: Body) -> str:
    """`3 of 3 runs PASS`, or each verdict with its number: `2 PASS, 1 UNKNOWN of 3 runs`."""
    every = len(body.runs)
    there = [(verdict, body.count(verdict)) for verdict in VERDICTS if body.count(verdict)]
    runs = "run" if every == 1 else "runs"
    if len(there) == 1:
        return f"{every} of {every} {runs} {there[0][0]}"
    return ", ".join(f"{count} {verdict}" for verdict, count in there) + f" of {every} {runs}"


def brief(bodies: Sequence[Body]) -> str:
    """All runtimes in a line: `local: 3 of 3 runs PASS; compose: 1 of 1 run PASS`."""
    return "; ".join(f"{body.runtime}: {verdicts(body)}" for body in bodies)


def in_short(body: Body) -> str:
    """`3 of 3 runs PASS, local, seeds 1 to 3, last 2026-11-29`."""
    return f"{verdicts(body)}, {body.runtime}, {seeded(body)}, last {body.runs[-1].when}"


def seeded(body: Body) -> str:
    """`seed 1`, `seeds 1 to 3`."""
    return ("seeds " if len({run.seed for run in body.runs}) > 1 else "seed ") + seeds(body)


def seeds(body: Body) -> str:
    """`1 to 3`, or those that there are: `1, 2, 7`."""
    found = sorted({run.seed for run in body.runs})
    if len(found) > 2 and found == list(range(found[0], found[-1] + 1)):
        return f"{found[0]} to {found[-1]}"
    return ", ".join(str(seed) for seed in found)


def held(row: Row | Count) -> str:
    """`3 of 3`, with what failed or was UNKNOWN named."""
    parts = [f"{count} {name}" for name, count in (("FAIL", row.failed), ("UNKNOWN", row.unknown)) if count]
    return f"{row.held} of {row.runs}" + (f" ({', '.join(parts)})" if parts else "")


def middle(row: Row) -> str:
    """The median with its unit; a dash where no run that decided has a value."""
    return "–" if row.median is None else ("≥ " if row.censored else "") + _value(row, row.median)


def reach(row: Row) -> str:
    """The range; empty where there is one value alone."""
    if row.low is None or row.high is None or row.low == row.high:
        return ""
    return f"{_value(row, row.low)} to {'≥ ' if row.censored else ''}{_value(row, row.high)}"


def _value(row: Row, value: float) -> str:
    return quantity(value, row.claim, nearest_bound(row.claim, value))


def found(count: Count) -> str:
    """`0 violations of 5,544`, of what was checked."""
    return f"{count.found:,} violation{'' if count.found == 1 else 's'} of {count.checked:,}"
