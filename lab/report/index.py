"""The index of all reports: the handbook, with what is said and what was measured of each section."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from markupsafe import Markup

from lab.catalogue.handbook import Section
from lab.evidence import shown
from lab.evidence.facts import Body, counts, rows
from lab.kit.files import put_in_place
from lab.record import Turned, Verdict, runs_of, unlike
from lab.report.charts.theme import css_variables
from lab.report.numbers import clock
from lab.report.page import SYMBOLS, environment, favicon, policy, static

HISTORY = 10


@dataclass(frozen=True)
class Entry:
    """An experiment of the catalogue; the first of `sections` is its main one."""

    name: str
    title: str
    question: str
    sections: Sequence[str]


class _Asked(msgspec.Struct):
    knob: str
    values: list[str]


class _Swept(msgspec.Struct):
    """What the index needs of a sweep."""

    asked: _Asked
    started_epoch_s: float


@dataclass(frozen=True)
class Sweep:
    """A sweep of an experiment's knob."""

    knob: str
    values: Sequence[str]
    when: str
    href: str


class _Judged(msgspec.Struct):
    verdict: Verdict
    reasons: list[str] = []


class _Head(msgspec.Struct):
    """What the index needs of a record, so that the rest is not decoded."""

    run: str
    started_epoch_s: float
    scale: float = 1.0
    turned: list[Turned] = []
    judgement: _Judged | None = None


@dataclass(frozen=True)
class Past:
    """A run that was made; `unlike` says how it differs from one of the catalogue's, empty where it does not."""

    run: str
    verdict: str
    when: str
    href: str
    reasons: Sequence[str]
    unlike: str = ""


@dataclass(frozen=True)
class Evidence:
    """What the counted runs of an experiment in one runtime say: in a line, and claim by claim.

    A line of `claims` is the claim, where, how many runs held it, the median and the range.
    """

    text: str
    claims: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Item:
    """An experiment with its last runs, the newest first."""

    entry: Entry
    runs: Sequence[Past]
    evidence: Sequence[Evidence] = ()
    sweeps: Sequence[Sweep] = ()

    @property
    def last(self) -> Past | None:
        """The newest run as the catalogue has it: a quick look or a turned knob gives no verdict of the catalogue's."""
        return next((run for run in self.runs if not run.unlike), None)

    @property
    def since(self) -> Past | None:
        """The newest run of all, where it is another than that."""
        return self.runs[0] if self.runs and self.runs[0].unlike else None


@dataclass(frozen=True)
class Line:
    """A section of the handbook: what is said of it, the experiments whose main section it is, others that serve it."""

    section: Section
    text: Sequence[str]
    items: Sequence[Item]
    others: Sequence[Item]


@dataclass(frozen=True)
class Chapter:
    """A chapter: its sections that have experiments, in order, and those that have none."""

    section: Section
    lines: Sequence[Line]
    empty: Sequence[Section]

    @property
    def experiments(self) -> int:
        """How many experiments have their main section in it."""
        return sum(len(line.items) for line in self.lines)


@dataclass(frozen=True)
class Step:
    """An experiment of the path for newcomers, and what it builds on."""

    name: str
    text: str


def write_index(
    reports: Path,
    handbook: Sequence[Section],
    catalogue: Sequence[Entry],
    texts: Mapping[str, Sequence[str]],
    path: Sequence[Step],
    evidence: Sequence[Body] = (),
) -> Path:
    """
    Write `reports/index.html`: chapters with experiments whole, the others one line each.

    `texts` has the paragraphs of each section by its number, `path` the experiments in which to begin,
    `evidence` what all counted runs say together.
    """
    past = {entry.name: _past(reports, entry.name) for entry in catalogue}
    items = [
        Item(entry, past[entry.name], _evidence(entry.name, evidence), _sweeps(reports, entry.name))
        for entry in catalogue
    ]
    chapters = [_chapter(section, handbook, items, texts) for section in handbook if section.depth == 1]
    last = [item.last.verdict for item in items if item.last]
    scripts = {"theme": static("theme.js"), "index": static("index.js")}
    text = (
        environment()
        .get_template("index.html")
        .render(
            chapters=chapters,
            wall=sorted(items, key=lambda item: _order(item.entry.sections[0])),
            experiments=len(catalogue),
            counts=[(name, last.count(name)) for name in ("PASS", "FAIL", "UNKNOWN", "NOT JUDGED")],
            never=sum(item.last is None for item in items),
            served=sum(len(chapter.lines) for chapter in chapters),
            numbered=len(handbook),
            steps=[(step, item) for step in path for item in items if item.entry.name == step.name],
            symbols=SYMBOLS,
            css=Markup(css_variables() + static("report.css")),
            scripts={name: Markup(text) for name, text in scripts.items()},
            policy=policy(scripts.values()),
            favicon=favicon("§", "0b5aa6"),
        )
    )
    reports.mkdir(parents=True, exist_ok=True)
    return put_in_place(reports / "index.html", text)


def _chapter(
    chapter: Section, handbook: Sequence[Section], items: Sequence[Item], texts: Mapping[str, Sequence[str]]
) -> Chapter:
    lines, empty = [], []
    for section in handbook:
        if section.chapter != chapter.chapter:
            continue
        served = [item for item in items if section.number in item.entry.sections]
        main = [item for item in served if item.entry.sections[0] == section.number]
        if served:
            others = [item for item in served if item not in main]
            lines.append(Line(section, texts.get(section.number, ()), main, others))
        elif section != chapter:
            empty.append(section)
    return Chapter(chapter, lines, empty)


def _evidence(name: str, bodies: Sequence[Body]) -> list[Evidence]:
    return [Evidence(shown.in_short(body), _claims(body)) for body in bodies if body.experiment == name]


def _claims(body: Body) -> list[Sequence[str]]:
    found: list[Sequence[str]] = []
    for row in rows(body):
        where = f"{row.claim.variant}, {row.claim.phase}"
        found.append((row.claim.text, where, shown.held(row), shown.middle(row), shown.reach(row)))
    for count in counts(body):
        where = f"{count.invariance.variant}, whole run"
        found.append((count.invariance.text, where, shown.held(count), shown.found(count), ""))
    return found


def _order(number: str) -> list[int]:
    return [int(part) for part in number.split(".")]


def _past(reports: Path, name: str) -> list[Past]:
    """The newest runs, and the newest as the catalogue has it, however many there were since."""
    found: list[Past] = []
    for path in reversed(runs_of(reports, name)):
        if len(found) >= HISTORY and any(not run.unlike for run in found):
            break
        past = _of(path, name)
        if len(found) < HISTORY or not past.unlike:
            found.append(past)
    return found


def _of(path: Path, name: str) -> Past:
    try:
        head = msgspec.json.decode((path / "record.json").read_bytes(), type=_Head)
    except (OSError, msgspec.MsgspecError):
        return Past(path.name, "NOT JUDGED", "its record cannot be read", f"{name}/{path.name}/", [])
    verdict = head.judgement.verdict if head.judgement else "NOT JUDGED"
    page = f"{name}/{path.name}/" + ("index.html" if (path / "index.html").exists() else "")
    reasons = head.judgement.reasons if head.judgement else []
    return Past(head.run, verdict, clock(head.started_epoch_s), page, reasons, unlike(head.scale, head.turned))


def _sweeps(reports: Path, name: str) -> list[Sweep]:
    """Its newest sweeps that have a page."""
    found = []
    for page in sorted((reports / name / "sweeps").glob("*/index.html"), reverse=True)[:HISTORY]:
        try:
            head = msgspec.json.decode((page.parent / "sweep.json").read_bytes(), type=_Swept)
        except (OSError, msgspec.MsgspecError):
            continue
        href = f"{name}/sweeps/{page.parent.name}/index.html"
        found.append(Sweep(head.asked.knob, head.asked.values, clock(head.started_epoch_s), href))
    return found
