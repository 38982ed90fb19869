"""Which mutants are run, in which order, and until when."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import catalogue
from lab.kit.places import ROOT
from lab.record import read_run
from lab.sabotage import command, mutants, page
from lab.sabotage.command import Wish
from lab.sabotage.ledger import Ledger
from lab.sabotage.mutants import Mutant, Outcome, Table

ENTRY = catalogue.find("circuit-breaker")
EXAMPLE = read_run(ROOT / "reports" / "example" / "circuit-breaker")
TABLE = Table((Mutant("first", "circuit-breaker", "a"), Mutant("second", "circuit-breaker", "b", always=True)))


class Desk:
    """A ledger in a folder, a table of two mutants, and answers that are given instead of runs."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.ledger = Ledger(folder / "sabotage.json")
        self.ran: list[str] = []
        self.said: list[str] = []
        self.verdict = "FAIL"
        self.judging: set[str] = set()
        patch.setattr(mutants, "read_table", lambda: TABLE)
        patch.setattr(mutants, "digest", lambda mutant, members: "of today")
        patch.setattr(mutants, "run", self._run)
        patch.setattr(mutants, "judge", lambda mutant, run: self._run(mutant))
        patch.setattr(Mutant, "judges", property(lambda mutant: mutant.name in self.judging))
        patch.setattr(command, "Ledger", lambda: self.ledger)
        patch.setattr(page, "write", lambda ledger, names, table: None)

    def _run(self, mutant: Mutant) -> Outcome:
        self.ran.append(mutant.name)
        return Outcome(self.verdict, ["why"], 1.0)  # type: ignore[arg-type]

    def ask(self, wish: Wish) -> list[str]:
        """Names of those that were not caught."""
        self.ran.clear()
        return [result.name for result in command.sabotage([ENTRY], [ENTRY], wish, self.said.append)]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """An empty ledger."""
    return Desk(tmp_path, monkeypatch)


def test_those_run_always_come_first_and_come_again(desk: Desk) -> None:
    """A mutant whose code is as it was is passed over, unless it is always run."""
    assert desk.ask(Wish(touched=True)) == []
    assert desk.ran == ["second", "first"]
    assert desk.ask(Wish(touched=True)) == []
    assert desk.ran == ["second"]


def test_none_is_begun_after_the_time(desk: Desk) -> None:
    """What is left is named, and what to do about it."""
    assert desk.ask(Wish(touched=True, within_s=0)) == []
    assert desk.ran == []
    assert desk.said == ["0 s are over; not run: second, first (make sabotage TOUCHED=1 goes on with them)"]


def test_a_mutant_that_passed_is_missed_until_it_is_caught(desk: Desk) -> None:
    """Also by a call that does not run it again, and once only by one that does."""
    desk.verdict = "PASS"
    assert desk.ask(Wish(touched=True)) == ["second", "first"]
    assert desk.ask(Wish(touched=True, within_s=0)) == ["first", "second"]
    assert desk.ask(Wish(mutants=["first"])) == ["first"]
    desk.verdict = "FAIL"
    assert desk.ask(Wish(fresh=True, touched=True)) == []


@pytest.mark.parametrize("passing", [True, False])
def test_a_mutant_of_the_judging_asks_for_a_run_that_passes(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, passing: bool
) -> None:
    """It is judged with the mutant in place; without such a run the mutant is passed over, with a word."""
    desk.judging = {"first"}
    monkeypatch.setattr(command, "_passing", lambda *_: EXAMPLE if passing else None)
    desk.ask(Wish(mutants=["first", "second"]))
    assert desk.ran == (["first", "second"] if passing else ["second"])
    assert bool([line for line in desk.said if "none that it could judge" in line]) is not passing


def test_a_passing_run_is_looked_for_where_it_is_said_to_be(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`LAB_REPORTS` is another folder; where none passes there, the one that is made goes there too."""
    asked: list[Path] = []
    monkeypatch.setattr(command, "runs_of", lambda folder, name: asked.append(folder) or [])
    monkeypatch.setattr(command, "run_one", lambda entry, options: asked.append(options.reports))
    monkeypatch.setattr(command.offline, "passes", lambda run: True)
    command._passing(catalogue.find("circuit-breaker"), tmp_path, lambda line: None)
    assert asked == [tmp_path, tmp_path]
