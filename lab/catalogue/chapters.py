"""Reads the chapters: README.md in each folder of experiments, with a heading for each section that has some."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from lab.catalogue import handbook
from lab.catalogue.markdown import items, paragraphs, sections, title
from lab.errors import LabError
from lab.kit.places import SCENARIOS

_LINKS = "Experiments: "  # a paragraph for readers of the file itself: the index has its own list
BEGIN = "Begin here"
_STEP = re.compile(r"\[([a-z0-9-]+)\]\([^)]+\): (.+)")
_LINK = re.compile(r"\]\(([^)]+)\)")


def read(folder: Path = SCENARIOS) -> Mapping[str, Sequence[str]]:
    """What is said of each section, by number: paragraphs of inline Markdown. LabError where a file cannot be read."""
    texts: dict[str, Sequence[str]] = {}
    for file in _files(folder):
        for heading, tokens in sections(_text(file)).items():
            texts[heading.partition(" ")[0]] = [p for p in paragraphs(tokens) if not p.startswith(_LINKS)]
    return texts


def path(folder: Path = SCENARIOS) -> Sequence[tuple[str, str]]:
    """The experiments in which to begin, in order: name, and what it builds on. From the list in README.md."""
    file = folder / "README.md"
    steps = [_STEP.match(item) for item in items(sections(_text(file)).get(BEGIN, ()))] if file.is_file() else []
    return [(step[1], step[2]) for step in steps if step]


def problems(asked: Iterable[str], folder: Path = SCENARIOS) -> Iterator[str]:
    """What does not fit: headings that the handbook has otherwise, sections `asked` for without one, dead links."""
    known, there = handbook.sections(), set[str]()
    for file in _files(folder):
        text = _text(file)
        chapter = title(text).partition(". ")[0]
        for heading in [title(text).replace(". ", " ", 1), *sections(text)]:
            number, _, named = heading.partition(" ")
            there.add(number)
            if number not in known:
                yield f'{file}: the handbook has no section "{number}".'
            elif known[number].title != named:
                yield f'{file}: section {number} is called "{known[number].title}", not "{named}".'
            elif number.split(".")[0] != chapter:
                yield f"{file}: section {number} belongs to another chapter than {chapter}."
        for link in _LINK.findall(text):
            if not link.startswith("https://") and not (file.parent / link.partition("#")[0]).is_file():
                yield f"{file}: there is no {link}."
    for number in sorted(set(asked) - there):
        yield f"section {number} has experiments and no text: give it a heading in its chapter's README.md."


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("ch*/README.md"))


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LabError(f"{file}: cannot be read as text: {error}") from error
