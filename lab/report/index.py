"""The index of all reports: the handbook's table of contents, each section with its experiments and last verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from markupsafe import Markup

from lab.files import put_in_place
from lab.handbook import Section
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
    judgement: _Judged | None = None


@dataclass(frozen=True)
class Past:
    """A run that was made."""

    run: str
    verdict: str
    when: str
    href: str
    reasons: Sequence[str]


@dataclass(frozen=True)
class Item:
    """An experiment with its last runs, the newest first."""

    entry: Entry
    runs: Sequence[Past]


@dataclass(frozen=True)
class Line:
    """A section of the handbook with what belongs to it, and how many experiments belong to sections below it."""

    section: Section
    items: Sequence[Item]
    below: int


@dataclass(frozen=True)
class Chapter:
    """A chapter: its sections in order, and how many experiments are in it."""

    section: Section
    lines: Sequence[Line]
    experiments: int


def write_index(reports: Path, handbook: Sequence[Section], catalogue: Sequence[Entry]) -> Path:
    """Write `reports/index.html`: every numbered section; those without an experiment say so."""
    past = {entry.name: _past(reports, entry.name) for entry in catalogue}
    items = [Item(entry, past[entry.name]) for entry in catalogue]
    lines = [_line(section, items) for section in handbook]
    chapters = []
    for line in lines:
        if line.section.depth == 1:
            mine = [other for other in lines if other.section.chapter == line.section.chapter]
            names = {item.entry.name for other in mine for item in other.items}
            chapters.append(Chapter(line.section, mine, len(names)))
    last = [runs[0].verdict for runs in past.values() if runs]
    scripts = {"theme": static("theme.js"), "index": static("index.js")}
    text = (
        environment()
        .get_template("index.html")
        .render(
            chapters=chapters,
            wall=sorted(items, key=lambda item: _order(item.entry.sections[0])),
            experiments=len(catalogue),
            counts=[(name, last.count(name)) for name in ("PASS", "FAIL", "UNKNOWN", "NOT JUDGED")],
            never=sum(not runs for runs in past.values()),
            served=sum(bool(line.items) for line in lines),
            numbered=len(lines),
            symbols=SYMBOLS,
            css=Markup(css_variables() + static("report.css")),
            scripts={name: Markup(text) for name, text in scripts.items()},
            policy=policy(scripts.values()),
            favicon=favicon("§", "0b5aa6"),
        )
    )
    reports.mkdir(parents=True, exist_ok=True)
    return put_in_place(reports / "index.html", text)


def _line(section: Section, items: Sequence[Item]) -> Line:
    below = sum(any(s.startswith(section.number + ".") for s in item.entry.sections) for item in items)
    return Line(section, [item for item in items if section.number in item.entry.sections], below)


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
        found.append(Past(head.run, verdict, clock(head.started_epoch_s), page, reasons))
    return found
