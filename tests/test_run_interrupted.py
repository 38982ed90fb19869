"""A run that is asked to stop, at each of its steps; what it runs is not there."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from report.fabricate import Recipe, fabricate

from lab import catalogue
from lab.errors import Interrupted
from lab.run import results, steps
from lab.run.choice import Choice
from lab.run.inprogress import Options


def ask_to_stop() -> None:
    """As Ctrl-C does."""
    os.kill(os.getpid(), signal.SIGINT)


class Steps:
    """The steps of a run, each of which only notes that it was taken."""

    def __init__(self, at: str, act: Callable[[], None]) -> None:
        self.taken: list[str] = []
        self._at, self._act = at, act

    def take(self, step: str) -> None:
        """Take one; at the chosen one, something happens first."""
        if step == self._at:
            self._act()
        self.taken.append(step)

    async def check(self, entry: Any, options: Any) -> Choice:
        """As the run does it first."""
        self.take("check")
        return Choice("local", "it is asked for", entry.scenario)

    async def prepare(self, work: Any, progress: Any, stack: Any) -> None:
        """Starts nothing."""

    async def play(self, work: Any, setting: Any) -> None:
        """One episode."""
        work.episodes.append(object())
        self.take("play")
        await asyncio.sleep(0)

    def keep(self, work: Any) -> None:
        """Writes nothing."""
        work.unfinished.finish()
        self.take("keep")

    def finish(self, work: Any, began: float) -> Any:
        """Judges nothing."""
        self.take("finish")
        return "a run"


def broken_off(monkeypatch: pytest.MonkeyPatch, reports: Path, at: str, times: int = 1) -> tuple[int, list[str]]:
    """A run that gets Ctrl-C at a step: the signal that ended it, and the steps that were taken."""

    def act() -> None:
        for _ in range(times):
            ask_to_stop()

    noted = Steps(at, act)
    for name, step in (("_check", "check"), ("_prepare", "prepare"), ("_play_all", "play"), ("keep", "keep")):
        monkeypatch.setattr(steps, name, getattr(noted, step))
    monkeypatch.setattr(steps, "finish", noted.finish)
    with pytest.raises(Interrupted) as interrupted:
        steps.run_one(catalogue.find("circuit-breaker"), Options(1, 1, 1.0, None, reports, quiet=True))
    return interrupted.value.number, noted.taken


@pytest.mark.parametrize(
    ("at", "times", "taken"),
    [
        ("check", 1, []),
        ("play", 1, ["check", "play", "keep", "finish"]),
        ("keep", 1, ["check", "play", "keep", "finish"]),
        ("finish", 1, ["check", "play", "keep", "finish"]),
        ("finish", 2, ["check", "play", "keep"]),
    ],
)
def test_ctrl_c_ends_a_run_at_any_step(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, at: str, times: int, taken: list[str]
) -> None:
    """Wherever it comes, Ctrl-C is not lost: what was finished is kept, and the command ends as interrupted."""
    assert broken_off(monkeypatch, tmp_path, at, times) == (signal.SIGINT, taken)


def test_a_run_that_keeps_nothing_leaves_no_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A run that ends before its first variant did leaves neither its folder nor an empty one of its experiment."""
    noted = Steps("", ask_to_stop)

    async def prepare(work: Any, progress: Any, stack: Any) -> None:
        ask_to_stop()
        await asyncio.sleep(1)

    monkeypatch.setattr(steps, "_check", noted.check)
    monkeypatch.setattr(steps, "_prepare", prepare)
    with pytest.raises(Interrupted):
        steps.run_one(catalogue.find("circuit-breaker"), Options(1, 1, 1.0, None, tmp_path, quiet=True))
    assert list(tmp_path.iterdir()) == []


def test_the_verdict_is_told_before_the_report_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Judging takes a fifth of a second, drawing several: who waits for the verdict waited for the charts."""
    made = fabricate(tmp_path / "reports" / "circuit-breaker", Recipe(per_s=20))
    told: list[str] = []
    monkeypatch.setattr(results, "write_page", lambda *_: told.append(capsys.readouterr().err))
    work: Any = SimpleNamespace(folder=made.path, episodes=[], options=SimpleNamespace(reports=tmp_path / "reports"))
    results.finish(work, 0.0)
    assert told == ["lab: PASS; the report is being drawn\n"]
