"""The index of all reports: the handbook, with what is said and what was measured of each section."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from markupsafe import Markup

from lab.catalogue.handbook import Section
from lab.kit.files import put_in_place
from lab.record import Verdict, runs_of
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


class _Judged(msgspec.Struct):
    verdict: Verdict
    reasons: list[str] = []


class _Head(msgspec.Struct):
    """What the index needs of a record, so that the rest is not decoded."""

    run: str
    started_epoch_s: float
    scale: float = 1.0
    judgement: _Judged | None = None


@dataclass(frozen=True)
class Past:
    """A run that was made; `full` where its phases had their whole length."""

    run: str
    verdict: str
    when: str
    href: str
    reasons: Sequence[str]
    full: bool = True


@dataclass(frozen=True)
class Item:
    """An experiment with its last runs, the newest first."""

    entry: Entry
    runs: Sequence[Past]

    @property
    def last(self) -> Past | None:
        """The newest run at full length: a quick look is no verdict of the catalogue's."""
        return next((run for run in self.runs if run.full), None)


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
) -> Path:
    """
    Write `reports/index.html`: chapters with experiments whole, the others one line each.

    `texts` has the paragraphs of each section by its number, `path` the experiments in which to begin.
    """
    past = {entry.name: _past(reports, entry.name) for entry in catalogue}
    items = [Item(entry, past[entry.name]) for entry in catalogue]
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


def _order(number: str) -> list[int]:
    return [int(part) for part in number.split(".")]


def _past(reports: Path, name: str) -> list[Past]:
    found = []
    for path in list(reversed(runs_of(reports, name)))[:HISTORY]:
        try:
            head = msgspec.json.decode((path / "record.json").read_bytes(), type=_Head)
        except (OSError, msgspec.MsgspecError):
            found.append(Past(path.name, "NOT JUDGED", "its record cannot be read", f"{name}/{path.name}/", []))
            continue
        verdict = head.judgement.verdict if head.judgement else "NOT JUDGED"
        page = f"{name}/{path.name}/" + ("index.html" if (path / "index.html").exists() else "")
        reasons = head.judgement.reasons if head.judgement else []
        found.append(Past(head.run, verdict, clock(head.started_epoch_s), page, reasons, full=head.scale >= 1))
    return found
