"""Mutants: the table is whole, every patch fits today's code, and results are kept as they come."""

from __future__ import annotations

import difflib
import shutil
from pathlib import Path

import pytest

from lab import catalogue
from lab.errors import LabError
from lab.kit.places import ROOT
from lab.sabotage import mutants, page
from lab.sabotage.ledger import Ledger, Result
from lab.sabotage.mutants import Mutant, read_table

MUTANTS = read_table().mutant


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name)
def test_every_patch_fits_the_code(mutant: Mutant) -> None:
    """A patch that the code has outgrown would show nothing."""
    mutants.apply(mutant, ROOT, check=True)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name)
def test_every_mutant_names_an_experiment_and_never_expects_a_pass(mutant: Mutant) -> None:
    """It says what it breaks, in which experiment, and PASS is no right answer."""
    assert mutant.experiment in {catalogue.name_of(file) for file in catalogue.files()}
    assert mutant.breaks
    assert mutant.expect
    assert "PASS" not in mutant.expect


@pytest.mark.parametrize(
    "mutant", [each for each in MUTANTS if each.expect == ("FAIL",) and each.by], ids=lambda m: m.name
)
def test_what_is_to_fail_is_claimed(mutant: Mutant) -> None:
    """A mutant that must FAIL names a claim or an invariant that its experiment has."""
    scenario = catalogue.find(mutant.experiment).scenario
    texts = [claim.text for claim in scenario.claims] + [each.text for each in scenario.every_invariant]
    assert any(mutant.by in text for text in texts), mutant.by


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[mutant]]\nname = 'a'\n", "experiment"),
        ("[[mutant]]\nname = 'a'\nexperiment = 'x'\nbreaks = 'b'\n", "a is listed and has no .patch file"),
        ("mutant = 3", "mutant"),
        ("[[mutant", "table.toml"),
    ],
)
def test_a_wrong_table_is_told_in_a_sentence(tmp_path: Path, text: str, complaint: str) -> None:
    """With the file and what is wrong in it."""
    file = tmp_path / "table.toml"
    file.write_text(text)
    with pytest.raises(LabError, match=complaint):
        read_table(file)


def test_a_patch_that_no_line_names_is_told(tmp_path: Path) -> None:
    """It would never be run."""
    (tmp_path / "table.toml").write_text("")
    (tmp_path / "lonely.patch").write_text("")
    with pytest.raises(LabError, match=r"lonely has a \.patch file and is not listed"):
        read_table(tmp_path / "table.toml")


def test_a_patch_that_does_not_fit_is_told(tmp_path: Path) -> None:
    """By its name, with git's own words."""
    mutant = Mutant("none", "circuit-breaker", "nothing")
    with pytest.raises(LabError, match=r"none\.patch does not fit the code any more"):
        mutants.apply(mutant, tmp_path, check=True)


def result(name: str, *, caught: bool = True, kind: str = "mutant") -> Result:
    """A result of circuit-breaker."""
    return Result(kind, "circuit-breaker", name, "x | y", ["FAIL"], "FAIL" if caught else "PASS", "why", caught, 1.0)  # type: ignore[arg-type]


def test_results_are_on_disk_as_soon_as_they_are_known(tmp_path: Path) -> None:
    """A sabotage that is broken off goes on with what it had."""
    file = tmp_path / "sabotage.json"
    Ledger(file).add(result("one"))
    Ledger(file).add(result("two"))
    assert [r.name for r in Ledger(file).results("mutant")] == ["one", "two"]
    assert Ledger(file).mutant("two") == result("two")


def test_a_newer_result_takes_the_place_of_an_older(tmp_path: Path) -> None:
    """Of the same mutant there is one."""
    ledger = Ledger(tmp_path / "sabotage.json")
    ledger.add(result("one", caught=False))
    ledger.add(result("one"))
    assert [r.caught for r in ledger.results()] == [True]


def test_mutants_that_are_gone_are_forgotten(tmp_path: Path) -> None:
    """And forged records stay."""
    ledger = Ledger(tmp_path / "sabotage.json")
    ledger.add(result("gone"), result("load late", kind="forged"))
    ledger.keep_mutants(set())
    assert [r.name for r in ledger.results()] == ["load late"]


def test_a_damaged_ledger_is_told(tmp_path: Path) -> None:
    """In a sentence that says what to do."""
    file = tmp_path / "sabotage.json"
    file.write_text("{")
    with pytest.raises(LabError, match="restore it from git"):
        Ledger(file)


def test_the_page_shows_what_was_not_caught(tmp_path: Path) -> None:
    """In words that cannot be overlooked, with bars in cells escaped."""
    ledger = Ledger(tmp_path / "sabotage.json")
    ledger.add(result("one"), result("two", caught=False))
    page.write(ledger, ["circuit-breaker", "other"], (), tmp_path / "sabotage.md")
    text = (tmp_path / "sabotage.md").read_text()
    assert "| [circuit-breaker](#circuit-breaker) |  | 1 of 2 |  |  |" in text
    assert "| two | x \\| y | **PASS**, not caught | why |" in text
    assert "Not tried yet." in text


def test_the_page_names_mutants_that_were_not_run(tmp_path: Path) -> None:
    """Two of two caught says little where a third one was not tried."""
    ledger = Ledger(tmp_path / "sabotage.json")
    ledger.add(result("one"), result("two"))
    table = [Mutant("one", "circuit-breaker", "a"), Mutant("three", "circuit-breaker", "a | b")]
    page.write(ledger, ["circuit-breaker", "other"], table, tmp_path / "sabotage.md")
    text = (tmp_path / "sabotage.md").read_text()
    assert "| [circuit-breaker](#circuit-breaker) |  | 2 of 2 | 1 |  |" in text
    assert "| three | a \\| b | not run yet | |" in text


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("targets/exchange.py", True),
        ("targets/patterns/breaker.py", True),
        ("targets/patterns/single_flight.py", False),
    ],
)
def test_a_result_is_of_the_code_that_its_experiment_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, changes: bool
) -> None:
    """A target, and a pattern that it imports, ask for another run; another target's pattern does not."""
    shutil.copytree(ROOT / "targets", tmp_path / "targets", ignore=shutil.ignore_patterns("__pycache__"))
    files = [str(path.relative_to(tmp_path)) for path in sorted((tmp_path / "targets").rglob("*.py"))]
    monkeypatch.setattr(mutants, "ROOT", tmp_path)
    monkeypatch.setattr(mutants, "_project_files", lambda: files)
    mutant, entry = next(m for m in MUTANTS if m.name == "breaker-never-opens"), catalogue.find("circuit-breaker")
    before = mutants.digest(mutant, entry)
    text = (tmp_path / file).read_text("utf-8")
    (tmp_path / file).write_text(text.replace('"""', '"""Other words. ', 1) + "\n# A comment.\n", "utf-8")
    assert mutants.digest(mutant, entry) == before
    (tmp_path / file).write_text(text + "\nCHANGED = True\n", "utf-8")
    assert (mutants.digest(mutant, entry) != before) is changes


def test_what_breaks_the_judging_alone_is_judged_on_a_record() -> None:
    """A checker; not a fault, nor a target."""
    judging = {mutant.name: mutant.judges for mutant in MUTANTS}
    assert judging["regular-register-takes-any-old-value"]
    assert not judging["fault-late"]
    assert not judging["breaker-never-opens"]


def test_a_mutant_of_a_checker_judges_a_copy_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the patch in place the checker takes every effect for one too many; the run itself stays as it was."""
    file = "lab/checkers/exactly_once.py"
    before = (ROOT / file).read_text("utf-8").splitlines(keepends=True)
    after = [line.replace("in effects)", "in 2 * effects)") for line in before]
    assert after != before
    patch = difflib.unified_diff(before, after, f"a/{file}", f"b/{file}")
    (tmp_path / "twice.patch").write_text("".join(patch), "utf-8")
    monkeypatch.setattr(mutants, "FOLDER", tmp_path)
    monkeypatch.setattr(mutants, "SANDBOX", tmp_path / "sandbox")
    example = ROOT / "reports" / "example" / "circuit-breaker"
    record = (example / "record.json").read_bytes()
    outcome = mutants.judge(Mutant("twice", "circuit-breaker", "every effect counts twice"), example)
    assert outcome.verdict == "FAIL"
    assert "took effect 2 times" in outcome.reasons[0]
    assert (example / "record.json").read_bytes() == record
    assert not (tmp_path / "sandbox" / "twice").exists()
