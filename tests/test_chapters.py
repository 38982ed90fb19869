"""Chapters are read from README.md in each folder of experiments; each section that has some has its text."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.catalogue import chapters, handbook, read_all
from lab.errors import LabError

ENTRIES = read_all()[0]
ASKED = {section for entry in ENTRIES for section in entry.scenario.sections}


def test_the_chapters_are_whole() -> None:
    """Every section that an experiment serves has a heading as the handbook has it, and every link leads somewhere."""
    assert list(chapters.problems(ASKED)) == []


def test_a_section_says_what_it_is_and_what_it_costs() -> None:
    """100 to 250 words each, and one paragraph at least."""
    for number, text in chapters.read().items():
        assert 100 <= sum(len(paragraph.split()) for paragraph in text) <= 250, number


def test_every_link_to_an_experiment_is_right() -> None:
    """A section links the experiments that serve it, and no other."""
    for file in sorted(chapters.SCENARIOS.glob("ch*/README.md")):
        for part in file.read_text("utf-8").split("\n## ")[1:]:
            number = part.split(" ", 1)[0]
            serving = {entry.name for entry in ENTRIES if number in entry.scenario.sections}
            named = {name for name in (entry.name for entry in ENTRIES) if f"[{name}](" in part}
            assert named == serving, number


def test_the_path_for_newcomers_is_of_experiments() -> None:
    """Five, each once, each with what it builds on."""
    path = chapters.path()
    assert len(path) == 5
    assert {name for name, _ in path} < {entry.name for entry in ENTRIES}
    assert all(text for _, text in path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# 7. Distributed Systems\n", 'section 7 is called "'),
        ("# {7}\n\n## 7.99 New\n\nText.\n", 'the handbook has no section "7.99"'),
        ("# {7}\n\n## 8.1 {8.1}\n\nText.\n", "section 8.1 belongs to another chapter than 7"),
        ("# {7}\n\n## 7.6 {7.6}\n\nSee [this](gone.md).\n", "there is no gone.md"),
        ("# {7}\n", "section 7.6.1.3 has experiments and no text"),
    ],
)
def test_what_does_not_fit_is_told(tmp_path: Path, text: str, said: str) -> None:
    """Headings and links are held against the handbook and the folder."""
    known = handbook.sections()
    for number in ("7.6", "8.1", "7"):
        title = known[number].title
        text = text.replace(f"{{{number}}}", title if "." in number else f"{number}. {title}")
    (tmp_path / "ch07").mkdir()
    (tmp_path / "ch07" / "README.md").write_text(text)
    assert any(said in problem for problem in chapters.problems({"7.6.1.3"}, tmp_path))


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    """Bytes that are no UTF-8."""
    (tmp_path / "ch07").mkdir()
    (tmp_path / "ch07" / "README.md").write_bytes(b"\xff\xfe")
    with pytest.raises(LabError, match=r"README\.md: cannot be read as text"):
        chapters.read(tmp_path)
