"""A sweep: what it asks, which runs it makes, what it keeps when it is stopped, and how it goes on."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab import catalogue
from lab.catalogue import Entry
from lab.errors import Interrupted, LabError
from lab.record import Run, Verdict, read_run, with_judgement, write_record, write_table
from lab.run import results
from lab.run.episode import plan_of
from lab.run.inprogress import Options, RunInProgress
from lab.run.lent import Lent
from lab.sweep import steps
from lab.sweep.asked import Asked, Question, command, question, values_of
from lab.verdict import judge

KNOB = "on:exchange.BREAKER_OPEN_S"


def ask(*values: str, knob: str = KNOB, **more: Any) -> Question:
    """A sweep of circuit-breaker."""
    return question(catalogue.find("circuit-breaker"), Asked("circuit-breaker", knob, values, **more))


class Lab:
    """Gives fabricated runs in place of real ones, and notes what was asked of each."""

    def __init__(self, passing: Run, reports: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[tuple[str, Lent | None]] = []
        self.outcomes: list[Verdict | BaseException] = []
        self.said: list[str] = []
        self.options = Options(1, 1, 1.0, "local", reports)
        self._passing = passing
        monkeypatch.setattr(steps, "run_one", self._run)
        monkeypatch.setattr(steps, "write_index", lambda reports, entries: None)
        monkeypatch.setattr(steps, "git_state", lambda root: (passing.record.git_commit, False))

    def _run(self, entry: Entry, options: Options) -> Run:
        value = entry.turned[-1].value
        self.asked.append((value, options.lent))
        outcome = self.outcomes.pop(0) if self.outcomes else "PASS"
        if isinstance(outcome, BaseException):
            raise outcome
        path = options.reports / entry.name / f"run-{len(self.asked)}-{value}"
        shutil.copytree(self._passing.path, path)
        record = self._passing.record
        assert record.judgement
        lent = dict.fromkeys(options.lent.variants, options.lent.run.name) if options.lent else {}
        write_record(path, with_judgement(
            replace(record, run=path.name, turned=list(entry.turned), lent=lent),
            replace(record.judgement, verdict=outcome),
        ))  # fmt: skip
        return read_run(path)

    def sweep(self, asked: Question, fresh: bool = False) -> tuple[Path, Any]:
        """Sweep."""
        return steps.sweep(asked, self.options, fresh, self.said.append)

    @property
    def values(self) -> list[str]:
        """The values that were run."""
        return [value for value, _ in self.asked]


@pytest.fixture
def desk(passing: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A lab in the folder of the test."""
    return Lab(passing, tmp_path, monkeypatch)


# --- what is asked ----------------------------------------------------------------------------------------------


def test_a_knob_and_its_values() -> None:
    """Two values or more, each once."""
    assert values_of(f"{KNOB}=1, 2,5") == (KNOB, ("1", "2", "5"))
    for text, said in (
        (KNOB, "is no sweep; give a knob and two values or more"),
        (f"{KNOB}=1", "is no sweep"),
        ("=1,2", "is no sweep"),
        (f"{KNOB}=1,2,1", f"{KNOB} is swept over 1 twice"),
        (f"{KNOB}={','.join(map(str, range(1, 40)))}", "a sweep takes at most 30"),
    ):
        with pytest.raises(LabError) as caught:
            values_of(text)
        assert said in str(caught.value)


def test_every_value_is_checked_before_anything_starts() -> None:
    """The last as well; and a knob is not swept and set at once."""
    with pytest.raises(LabError, match="BREAKER_OPEN_S='x' cannot be"):
        ask("1", "2", "x")
    with pytest.raises(LabError, match="is both swept and set; leave one out"):
        ask("1", "2", turned=(f"{KNOB}=3",))


def test_what_a_knob_does_not_touch_is_played_once() -> None:
    """The control where the knob is another variant's; nothing where it is of all, or of the load."""
    assert ask("1", "2").kept == ("off",)
    assert ask("1", "2", knob="exchange.PAYMENTS_TIMEOUT_S").kept == ()
    assert ask("40", "50", knob="load.per_s").kept == ()
    storm = Asked("retry-storm", "budget:*.RETRY_BUDGET", ("0.01", "0.1"))
    assert question(catalogue.find("retry-storm"), storm).kept == ("at-once", "backoff")


def test_what_is_typed_to_go_on() -> None:
    """All that tells one sweep from another."""
    asked = Asked("circuit-breaker", KNOB, ("1", "2"), ("load.per_s=80",), 7, 3, 0.5, "local")
    assert command(asked) == (
        f'make sweep NAME=circuit-breaker KNOB="{KNOB}=1,2" SET=load.per_s=80 SEED=7 TRIALS=3 SCALE=0.5 RUNTIME=local'
    )


# --- the runs ---------------------------------------------------------------------------------------------------


def test_the_first_sound_point_lends_its_control(desk: Lab) -> None:
    """A point whose run proves nothing lends nothing: the next plays the control itself."""
    desk.outcomes = ["UNKNOWN", "FAIL", "PASS", "PASS"]
    page, swept = desk.sweep(ask("1", "2", "5", "10"))
    lenders = [lent and lent.run.name for _, lent in desk.asked]
    assert lenders == [None, None, "run-2-2", "run-2-2"]
    assert [value for value, _ in swept.runs] == ["1", "2", "5", "10"]
    assert page.exists()
    state = json.loads((page.parent / "sweep.json").read_text())
    assert [point["run"] for point in state["points"]] == ["run-1-1", "run-2-2", "run-3-5", "run-4-10"]


def test_other_code_lends_nothing(desk: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A control of another commit is another control."""
    monkeypatch.setattr(steps, "git_state", lambda root: ("0" * 40, False))
    desk.sweep(ask("1", "2"))
    assert [lent for _, lent in desk.asked] == [None, None]


@pytest.mark.parametrize("error", [Interrupted(2), LabError("a service did not start")])
def test_a_sweep_that_is_stopped_keeps_its_points_and_goes_on(desk: Lab, error: Exception) -> None:
    """It says what is kept and what to type; typed again, it runs what is left; and then it begins anew."""
    desk.outcomes = ["PASS", "PASS", error]
    with pytest.raises(type(error)) as caught:
        desk.sweep(ask("1", "2", "5"))
    said = str(caught.value)
    assert "2 of 3 points are kept in " in said
    assert f'resume with: make sweep NAME=circuit-breaker KNOB="{KNOB}=1,2,5"' in said
    [kept] = desk.options.reports.glob("circuit-breaker/sweeps/*/index.html")
    assert "Not finished: 5 is missing" in kept.read_text("utf-8")
    page, _ = desk.sweep(ask("1", "2", "5"))
    assert page == kept
    assert desk.values == ["1", "2", "5", "5"]
    assert "Not finished" not in page.read_text("utf-8")
    assert any(text.startswith("resuming ") and "2 of 3 points are done" in text for text in desk.said)


def test_another_question_or_fresh_begins_anew(desk: Lab) -> None:
    """So does the same question once it is answered, and a point whose run has been removed is run again."""
    desk.outcomes = ["PASS", Interrupted(2)]
    with pytest.raises(Interrupted):
        desk.sweep(ask("1", "2"))
    desk.sweep(ask("1", "2", "3"))
    assert desk.values == ["1", "2", "1", "2", "3"]
    shutil.rmtree(desk.options.reports / "circuit-breaker" / "run-1-1")
    desk.sweep(ask("1", "2"))
    assert desk.values[5:] == ["1", "2"]
    desk.sweep(ask("1", "2"), fresh=True)
    assert desk.values[7:] == ["1", "2"]


def test_nothing_finished_is_said(desk: Lab) -> None:
    """There is no page of no points."""
    desk.outcomes = [Interrupted(2)]
    with pytest.raises(Interrupted, match="no point was finished"):
        desk.sweep(ask("1", "2"))
    assert not list(desk.options.reports.glob("circuit-breaker/sweeps/*"))


# --- lent episodes ----------------------------------------------------------------------------------------------


def test_a_run_with_a_lent_control_is_judged_as_if_it_had_played_it(passing: Run, tmp_path: Path) -> None:
    """Its tables, logs, profiles and readbacks are there, and the record names the run that they are of."""
    lent = Lent(passing.path, ("off",))
    options = Options(1, 1, 1.0, "local", tmp_path, lent=lent)
    path = tmp_path / "mine"
    shutil.copytree(passing.path, path, ignore=shutil.ignore_patterns("1-off*"))
    own = {name: [row for row in passing.table(name).to_pylist() if row["variant"] == "on"] for name in results.TABLES}
    results.add_lent(options.lent, path, own)
    for name, rows in own.items():
        write_table(path, name, rows)
    on = [episode for episode in passing.record.episodes if episode.variant == "on"]
    write_record(path, replace(passing.record, episodes=[*lent.episodes(), *on], lent={"off": passing.path.name}))
    run = read_run(path)
    assert judge(run) == judge(passing)
    for folder in ("logs", "profiles"):
        assert (path / folder / "1-off").is_dir()
    assert (path / "readbacks" / "1-off.json").exists()


def test_a_lent_variant_is_not_played(tmp_path: Path) -> None:
    """In no trial."""
    entry = catalogue.find("circuit-breaker")
    plans = [plan_of(entry.scenario, variant) for variant in entry.scenario.variants]
    options = Options(1, 2, 1.0, "local", tmp_path, lent=Lent(tmp_path, ("off",)))
    nothing: Any = None
    work = RunInProgress(entry, options, nothing, "run", tmp_path, nothing, 0.0, plans)
    assert [(trial, plan.variant.name) for trial, plan in work.order] == [(1, "on"), (2, "on")]
    everything = replace(work, options=replace(options, lent=None))
    assert [plan.variant.name for _, plan in everything.order] == ["off", "on", "on", "off"]
