"""docs/evidence.md: what the counted runs say, experiment by experiment, and its line in each chapter's page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from lab.evidence import shown
from lab.evidence.facts import Body, counts, rows
from lab.evidence.ledger import Ledger
from lab.kit.files import put_in_place
from lab.kit.places import ROOT, SCENARIOS
from lab.record.words import bounds

FILE = ROOT / "docs" / "evidence.md"

HEAD = """\
# Evidence: what the runs say together

Written by `make evidence`; the runs behind it are in [evidence.json](evidence.json).

A run counts if it has full length, no turned knob, a commit without uncommitted changes, and today's code for the
experiment: what it asks, the services that it starts, the requests that it sends. A change to the lab itself or to what
all services share does not discard runs; the commit shows which code ran. UNKNOWN runs count and are named. Median and
range are over the runs that ended PASS or FAIL. They show how far the seed moves a number on one machine; they are not
a confidence interval.
"""


def write(ledger: Ledger, today: Mapping[str, str], file: Path = FILE, scenarios: Path = SCENARIOS) -> None:
    """Write the page and the chapters' lines. `today` has the digest of each experiment, in the page's order."""
    parts = [HEAD, *_summary(ledger, today)]
    for name in today:
        parts += [part for body in ledger.bodies(name) for part in _body(body)]
    put_in_place(file, "\n".join(parts).rstrip() + "\n")
    for readme in sorted(scenarios.glob("ch*/README.md")):
        text = readme.read_text("utf-8")
        if (new := chapter(text, {name: ledger.bodies(name) for name in today})) != text:
            put_in_place(readme, new)


def _summary(ledger: Ledger, today: Mapping[str, str]) -> Iterator[str]:
    yield "| Experiment | Runtime | Runs | PASS | FAIL | UNKNOWN | Seeds | Last | |"
    yield "|---|---|---:|---:|---:|---:|---|---|---|"
    for name, digest in today.items():
        for body in ledger.bodies(name):
            changed = "" if body.digest == digest else "its code has changed since"
            numbers = " | ".join(str(body.count(verdict) or "") for verdict in shown.VERDICTS)
            seeds, last = shown.seeds(body), body.runs[-1].when
            link = f"[{name}](#{_anchor(body)})"
            yield f"| {link} | {body.runtime} | {len(body.runs)} | {numbers} | {seeds} | {last} | {changed} |"
        if not ledger.bodies(name):
            yield f"| {name} | | 0 | | | | | | not run yet |"
    yield ""


def _body(body: Body) -> Iterator[str]:
    yield f"## {body.experiment}, {body.runtime}\n"
    yield f"{_sentence(body)}\n"
    yield "| Claim | Where | Asked | Held | Median | Range |"
    yield "|---|---|---|---|---:|---:|"
    for row in rows(body):
        claim = row.claim
        kind = " (control)" if claim.control else " (price)" if claim.price else ""
        cells = [claim.text + kind, f"{claim.variant}, {claim.phase}", bounds(claim), shown.held(row)]
        yield _line([*cells, shown.middle(row), shown.reach(row)])
    for count in counts(body):
        one = count.invariance
        asked = "to be broken" if one.to_break else "no violation"
        yield _line([one.text, f"{one.variant}, whole run", asked, shown.held(count), shown.found(count), ""])
    yield ""
    others = [run for run in body.runs if run.verdict != "PASS"]
    yield from (f"- {run.verdict}, seed {run.seed}, run {run.run}: {_cell(run.reason)}" for run in others)
    yield from [""] if others else []


def _sentence(body: Body) -> str:
    """Runs, seeds, commits, dates, machines, in a line."""
    commits = sorted({run.commit[:7] for run in body.runs})
    dates = sorted({run.when for run in body.runs})
    machines = sorted({run.machine for run in body.runs})
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    what = f"commit{'s' if len(commits) > 1 else ''} {', '.join(commits)}"
    return f"{shown.verdicts(body)}: {shown.seeded(body)}, {what}, {when}. {'; '.join(machines)}."


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "\\<")


def _anchor(body: Body) -> str:
    """As GitHub makes one of the heading `circuit-breaker, local`."""
    return f"{body.experiment}-{body.runtime}"


_LINKED = re.compile(r"(\[(?P<name>[a-z0-9-]+)\]\([a-z0-9_]+\.md\))(?:\s+\(\[[^\]]*\]\(\S*evidence\.md#\S*\)\))?")


def chapter(text: str, bodies: Mapping[str, Sequence[Body]]) -> str:
    """A chapter's page with, behind each experiment that it links, what the evidence says of it."""

    def told(found: re.Match[str]) -> str:
        known = bodies.get(found["name"])
        if not known:
            return found[1]
        return f"{found[1]} ([{shown.brief(known)}](../../docs/evidence.md#{_anchor(known[0])}))"

    head, *parts = re.split(r"(?m)^(?=Experiments: )", text)
    for part in parts:
        paragraph, gap, rest = part.partition("\n\n")
        head += _LINKED.sub(told, paragraph) + gap + rest
    return head
