"""Experiments are found by name or file, in the handbook's order, and a wrong name is answered with the right one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from test_bad_scenarios import GOOD

from lab.catalogue import Entry, files, find, name_of, read, read_all, shown
from lab.errors import LabError, ScenarioError
from lab.kit.places import ROOT

FLAGSHIP = ROOT / "scenarios" / "ch07_distributed_systems" / "circuit_breaker.py"


def write(folder: Path, name: str, text: str = GOOD) -> Path:
    """Put a scenario file into a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(text)
    return file


def refusal(name: str, folder: Path) -> str:
    """What is said of a name or path that leads to no experiment."""
    with pytest.raises(LabError) as caught:
        find(name, folder)
    return str(caught.value)


def test_an_experiment_is_found_by_name_and_by_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name, its path, and its path from the folder one stands in lead to the same experiment."""
    monkeypatch.chdir(FLAGSHIP.parent)
    by_name, by_path, from_here = find("circuit-breaker"), find(str(FLAGSHIP)), find("circuit_breaker.py")
    assert by_name.file == by_path.file == from_here.file == FLAGSHIP
    assert by_name.name == name_of(FLAGSHIP) == "circuit-breaker"
    assert by_name.summary.startswith("Circuit breaker: ")


def test_the_catalogue_is_in_the_handbooks_order(tmp_path: Path) -> None:
    """Sections count as numbers, 2.10 after 2.9, and names decide within one."""
    for name, section in (("a", "2.10"), ("c", "2.9"), ("b", "2.9"), ("d", "2.1")):
        write(tmp_path, f"{name}.py", GOOD.replace('"7.6.1.3"', f'"{section}"'))
    entries, _ = read_all(tmp_path)
    assert [entry.name for entry in entries] == ["d", "b", "c", "a"]


def test_one_broken_file_hides_no_other(tmp_path: Path) -> None:
    """The sound ones are listed, the mistakes of the others are told."""
    write(tmp_path, "sound.py")
    write(tmp_path, "broken.py", "scenario = (\n")
    entries, mistakes = read_all(tmp_path)
    assert [entry.name for entry in entries] == ["sound"]
    assert len(mistakes) == 1
    assert "broken.py:1: '(' was never closed; mend the Python of this file" in mistakes[0]


def test_helpers_beside_scenarios_are_none(tmp_path: Path) -> None:
    """A file whose name begins with _ is no experiment."""
    write(tmp_path, "_shared.py", "")
    write(tmp_path, "sound.py")
    assert [file.name for file in files(tmp_path)] == ["sound.py"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("soud", 'no experiment is called "soud"; did you mean "sound"?'),
        ("the_sound", 'no experiment is called "the_sound"; did you mean "sound"?'),
        ("xyzzy", 'no experiment is called "xyzzy"; `make list` shows them all.'),
        ("", 'no experiment is called ""'),
        ("no/such.py", "there is no such file; give the path of a scenario file"),
        ("such.py", "there is no such file"),
        ("scenarios", "is a folder; name an experiment"),
        ("/", "is a folder; name an experiment"),
        ("folder.py", "is a folder; name an experiment"),
        ("./notes.txt", "is not a .py file"),
    ],
)
def test_a_wrong_name_is_answered_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, words: str
) -> None:
    """Mistyped names, missing files, folders and files of another kind."""
    write(tmp_path, "sound.py")
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "notes.txt").write_text("no scenario")
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "scenarios"
    write(folder, "sound.py")
    assert words in refusal(name, folder)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import sys\nsys.exit(0)\n", "planted.py:2: SystemExit: 0"),
        ("raise ValueError('odd')\n", "planted.py:1: ValueError: odd"),
        ("class Odd(BaseException):\n    __str__ = None\nraise Odd\n", "planted.py:3: Odd"),
        ("def f(): f()\nf()\n", "planted.py:1: RecursionError"),
        ("serviced = 1\nprint(servised)\n", 'planted.py:2: there is no "servised"; did you mean "serviced"?'),
        ("scenario = 1 / 0\n", "planted.py:1: ZeroDivisionError"),
        ("from lab import nothing_of_ours\n", 'planted.py:1: lab has no "nothing_of_ours"'),
        ("import no_such_module\n", "planted.py:1: ModuleNotFoundError"),
        ("x = '\0'\n", "planted.py: "),
        ("", "has no `scenario`"),
    ],
)
def test_whatever_a_file_does_is_a_mistake_in_it(tmp_path: Path, text: str, words: str) -> None:
    """A file that raises, exits or is no Python at all is named with its line; it never ends the lab."""
    with pytest.raises(ScenarioError) as caught:
        read(write(tmp_path, "planted.py", text))
    assert len(caught.value.problems) == 1
    assert words in caught.value.problems[0]


def test_a_file_that_is_not_text_is_a_mistake(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 give a sentence."""
    file = tmp_path / "planted.py"
    file.write_bytes(b"\xff\xfe\x00scenario")
    with pytest.raises(ScenarioError, match=r"planted\.py"):
        read(file)


def test_a_file_whose_name_is_no_name_is_refused(tmp_path: Path) -> None:
    """Names are typed on command lines and stand in paths."""
    with pytest.raises(ScenarioError, match=r'the file is called "Planted It\.py"'):
        read(write(tmp_path, "Planted It.py"))


def test_a_spec_is_scaled() -> None:
    """`--scale 0.5` halves every phase and nothing else."""
    entry: Entry = find("circuit-breaker")
    whole, half = entry.spec(), entry.spec(0.5)
    assert half.lasts_s == whole.lasts_s / 2
    assert half.claims == whole.claims
    assert half.file == os.path.relpath(FLAGSHIP, ROOT)


def test_paths_are_shown_as_one_would_type_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative below the folder one stands in and below the project, whole elsewhere."""
    monkeypatch.chdir(tmp_path)
    assert shown(tmp_path / "a" / "b") == "a/b"
    assert shown(ROOT / "reports") == "reports"
    assert shown(Path("/elsewhere")) == "/elsewhere"
