"""`lab run --set` and `lab sweep` on the command line: what they ask for, and what they show."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import lab.run.steps
import lab.sweep.steps
from lab import cli
from lab.record import Run, Turned
from lab.report.sweep import Swept

KNOB = "on:exchange.BREAKER_OPEN_S"


def typed(reports: Path, *words: str) -> Result:
    """What a command line does, with its runs in a folder of the test."""
    return CliRunner().invoke(cli.main, list(words), env={"LAB_REPORTS": str(reports), "COLUMNS": "120"})


def test_a_run_with_a_knob_turned(passing: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run gets the experiment as it was turned, and says so beside the catalogue's own last run."""
    asked: list[Any] = []

    def run_one(entry: Any, options: Any) -> Run:
        asked.append(entry)
        return replace(passing, record=replace(passing.record, turned=list(entry.turned)))

    monkeypatch.setattr(lab.run.steps, "run_one", run_one)
    done = typed(tmp_path, "run", "circuit-breaker", "--set", f"{KNOB}=10 load.per_s=80", "--set", "fault.lasts_s=30")
    assert done.exit_code == 0, done.output
    assert [each.knob for each in asked[0].turned] == [KNOB, "load.per_s", "fault.lasts_s"]
    said = " ".join(done.stdout.split())
    assert f"knobs {KNOB}=10 (otherwise 5), load.per_s=80 (otherwise 50), fault.lasts_s=30 (otherwise 20)" in said
    assert "beside the catalogue's own last run: PASS" in said
    assert "make scenario NAME=circuit-breaker, which is the catalogue's own run" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "circuit-breaker", "--set", f"{KNOB}=x"], "BREAKER_OPEN_S='x' cannot be"),
        (["run", "--all", "--set", "load.per_s=1"], "--all takes no --set: the knobs are those of one experiment"),
        (["sweep", "circuit-breaker", "--knob", KNOB], "is no sweep; give a knob and two values or more"),
        (["sweep", "circuit-braker", "--knob", f"{KNOB}=1,2"], 'did you mean "circuit-breaker"?'),
    ],
)
def test_what_cannot_be_is_one_sentence(tmp_path: Path, words: list[str], said: str) -> None:
    """With the lab's own exit code; nothing is started, and nothing is written."""
    done = typed(tmp_path / "reports", *words)
    assert done.exit_code == 3
    assert said in done.stderr
    assert not (tmp_path / "reports").exists()


def test_a_sweep_shows_each_claim_in_a_line(passing: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And for a machine each point as a run."""
    run = replace(passing, record=replace(passing.record, turned=[Turned(KNOB, "1", "5")], lent={"off": "first"}))
    asked: list[Any] = []

    def sweep(question: Any, options: Any, fresh: bool, say: Any) -> tuple[Path, Swept]:
        asked.append((question.asked, fresh))
        return tmp_path / "index.html", Swept(KNOB, ("1", "2"), [("1", run), ("2", run)], "make sweep")

    monkeypatch.setattr(lab.sweep.steps, "sweep", sweep)
    words = ("sweep", "circuit-breaker", "--knob", f"{KNOB}=1,2", "--set", "load.per_s=80", "--trials", "3", "--fresh")
    done = typed(tmp_path, *words)
    assert done.exit_code == 0, done.output
    [(question, fresh)] = asked
    assert (question.knob, question.values, question.turned, question.trials) == (
        KNOB,
        ("1", "2"),
        ("load.per_s=80",),
        3,
    )
    assert fresh
    said = " ".join(done.stdout.split())
    assert "payments is let back in Holds at every value, 1 to 2; nearest to its bound" in said
    assert "callers wait out the timeout" not in said
    assert str(tmp_path / "index.html") in said
    data = json.loads(typed(tmp_path, *words, "--json").stdout)
    assert [(point["value"], point["verdict"]) for point in data["points"]] == [("1", "PASS"), ("2", "PASS")]
