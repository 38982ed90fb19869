"""The ledger keeps what counts, by experiment and runtime, and reads back what it wrote."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from seen import CODE, body

from lab.errors import LabError
from lab.evidence.facts import Body
from lab.evidence.ledger import Ledger


def seeds(ledger: Ledger) -> list[int]:
    """Of the one body that there is."""
    (only,) = ledger.bodies()
    return [run.seed for run in only.runs]


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    """Runs, claims and numbers alike; a run that is added twice is there once."""
    file = tmp_path / "evidence.json"
    ledger = Ledger(file)
    for each in (body(1), body(2, "UNKNOWN", None), body(1)):
        ledger.add(each)
    again = Ledger(file)
    assert again.bodies() == ledger.bodies()
    assert seeds(again) == [1, 2]


def test_the_file_says_what_the_runs_say_together(tmp_path: Path) -> None:
    """For other programs: each claim's verdicts, median and range."""
    ledger = Ledger(tmp_path / "evidence.json")
    ledger.add(body(1, value=480))
    ledger.add(body(2, value=490))
    (told,) = json.loads((tmp_path / "evidence.json").read_text())
    first = told["summary"][0]
    assert first["claim"] == "callers wait out the timeout"
    assert (first["runs"], first["PASS"], first["median"], first["low"], first["high"]) == (2, 2, 485, 480, 490)
    assert told["summary"][-1]["violations"] == 0


def test_runs_of_other_code_go(tmp_path: Path) -> None:
    """Where a run of today's code comes; with `anew` those of the same code too; of another runtime none."""
    ledger = Ledger(tmp_path / "evidence.json")
    for each in (body(1), body(2)):
        ledger.add(each)
    ledger.add(msgspec.structs.replace(body(3), digest="of today"))
    assert seeds(ledger) == [3]
    assert ledger.of("circuit-breaker", "local", CODE) is None
    ledger.add(msgspec.structs.replace(body(4), digest="of today"), anew=True)
    assert seeds(ledger) == [4]
    ledger.add(msgspec.structs.replace(body(5), runtime="compose"))
    assert [each.runtime for each in ledger.bodies()] == ["local", "compose"]


def test_experiments_that_are_gone_are_forgotten(tmp_path: Path) -> None:
    """The page names only those of the catalogue."""
    ledger = Ledger(tmp_path / "evidence.json")
    ledger.add(body())
    ledger.keep(["another"])
    assert ledger.bodies() == []


def test_a_damaged_file_says_what_to_do(tmp_path: Path) -> None:
    """Restored or removed by hand: the lab throws no result away."""
    file = tmp_path / "evidence.json"
    file.write_text("[{")
    with pytest.raises(LabError, match="restore it from git"):
        Ledger(file)


def test_the_ledger_of_the_project_can_be_read() -> None:
    """As the index of reports reads it."""
    assert all(isinstance(each, Body) for each in Ledger().bodies())
