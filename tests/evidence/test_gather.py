"""Evidence makes what is missing, goes on where it was stopped, and keeps every run in its count."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

import pytest
from seen import CODE, recorded

from lab import catalogue
from lab.catalogue import Entry
from lab.errors import Interrupted, LabError
from lab.evidence import counting, page
from lab.evidence.ledger import Ledger
from lab.record import Run, Verdict, write_record
from lab.run import gather as module
from lab.run.gather import Gathered, Wish, gather
from lab.run.inprogress import Options

ENTRY = catalogue.find("circuit-breaker")


class Desk:
    """A ledger in a folder, and answers that are given instead of runs."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.file = folder, folder / "evidence.json"
        self.ran: list[int] = []
        self.said: list[str] = []
        self.verdicts: dict[int, Verdict] = {}
        self.stop_at, self.break_at = 0, 0
        patch.setattr(module, "clean_commit", lambda: "c" * 40)
        patch.setattr(module, "today", lambda entry, commit: CODE)
        patch.setattr(counting, "digest", lambda entry, spec, commit: CODE)
        patch.setattr(module, "Ledger", lambda: Ledger(self.file))
        patch.setattr(module, "run_one", self._run)
        patch.setattr(page, "write", lambda ledger, today: self.said.append("written"))

    def _run(self, entry: Entry, options: Options) -> Run:
        if options.seed == self.stop_at:
            raise Interrupted(signal.SIGINT)
        if options.seed == self.break_at:
            raise LabError("no server")
        self.ran.append(options.seed)
        verdict = self.verdicts.get(options.seed, "PASS")
        return Run(self.folder, recorded(options.seed, verdict, number=len(self.said)))

    def ask(self, wish: Wish) -> Gathered:
        """Do it, for one experiment."""
        self.ran.clear()
        return gather([ENTRY], [ENTRY], wish, self.folder, self.said.append)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """An empty ledger."""
    return Desk(tmp_path, monkeypatch)


def test_it_goes_on_where_it_was_stopped(desk: Desk) -> None:
    """Ctrl-C keeps what is done and writes the page; the next call makes the rest, and one more makes none."""
    desk.stop_at = 2
    with pytest.raises(Interrupted):
        desk.ask(Wish())
    assert desk.said[-2:] == ["`make evidence` resumes with what is missing", "written"]
    desk.stop_at = 0
    assert desk.ask(Wish()).made == 2
    assert desk.ran == [2, 3]
    assert desk.ask(Wish()).made == 0
    assert desk.ask(Wish(seeds=4)).made == 1


def test_an_unknown_run_is_made_again_and_both_count(desk: Desk) -> None:
    """A failed one is not: it proved something."""
    desk.verdicts = {1: "UNKNOWN", 2: "FAIL"}
    done = desk.ask(Wish(seeds=2))
    assert (done.failed, done.unknown) == (1, 1)
    desk.verdicts = {}
    done = desk.ask(Wish(seeds=2))
    assert desk.ran == [1]
    assert (done.failed, done.unknown) == (1, 0)
    (known,) = Ledger(desk.file).bodies()
    assert [run.verdict for run in known.of(1)] == ["UNKNOWN", "PASS"]


def test_a_run_that_cannot_be_made_does_not_hold_up_the_others(desk: Desk) -> None:
    """It is said, and counted as broken."""
    desk.break_at = 1
    done = desk.ask(Wish(seeds=2))
    assert (desk.ran, done.broken, done.unknown) == ([2], 1, 1)
    assert "  did not run: no server" in desk.said


def test_fresh_forgets_what_was(desk: Desk) -> None:
    """All are made again."""
    desk.ask(Wish(seeds=2))
    desk.ask(Wish(seeds=1, fresh=True))
    assert desk.ran == [1]
    (known,) = Ledger(desk.file).bodies()
    assert [run.seed for run in known.runs] == [1]


def test_fresh_forgets_where_the_first_run_cannot_be_made(desk: Desk) -> None:
    """Whichever seed is the first of the new ones, those of before go."""
    desk.ask(Wish(seeds=2))
    desk.break_at = 1
    desk.ask(Wish(seeds=3, fresh=True))
    (known,) = Ledger(desk.file).bodies()
    assert [run.seed for run in known.runs] == [2, 3]


def test_runs_that_are_there_are_taken_up(desk: Desk, tmp_path: Path) -> None:
    """Those that count; of the others it says how many there are and why they do not."""
    reports = tmp_path / "reports"
    for number, record in enumerate((recorded(1), recorded(2), replace(recorded(3), scale=0.5))):
        write_record(reports / "circuit-breaker" / f"run-{number}", record)
    (reports / "circuit-breaker" / "run-9").mkdir()
    (reports / "circuit-breaker" / "run-9" / "record.json").write_text("{")
    done = desk.ask(Wish(folders=[reports], run=False))
    assert (desk.ran, done.made) == ([], 0)
    assert f"{reports}: 2 runs counted; left out: 1 not at full length, 1 that cannot be read" in desk.said
    desk.ask(Wish(folders=[reports]))
    assert desk.ran == [3]
