"""Which predictions a run gets: those that are typed before it, else those that wait for a run of its kind."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from lab import catalogue
from lab.cli import console
from lab.cli.predicting import predicted
from lab.record import Prediction, Turned
from lab.run import guesses
from lab.run.inprogress import Options

ENTRY = catalogue.find("circuit-breaker")
BEFORE, NOW = [Prediction("How long?", "5 s", 5.0, "a")], [Prediction("How long?", "6 s", 6.0, "a")]
kept = guesses.kept


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where predictions wait; those typed earlier are there."""
    guesses.keep(ENTRY.name, BEFORE, tmp_path)
    for name in ("keep", "kept"):
        monkeypatch.setattr(guesses, name, partial(getattr(guesses, name), folder=tmp_path))
    return tmp_path


def of_a_run(
    monkeypatch: pytest.MonkeyPatch, scale: float = 1.0, typed: list[Prediction] | None = None
) -> list[Prediction]:
    """What a run of the experiment gets, where these are typed; None: no questions are asked."""
    monkeypatch.setattr(console, "ask", lambda spec, aside: typed)
    options = Options(1, 1, scale, "local", Path("reports"))
    return list(predicted(ENTRY, options, typed is not None).predictions)


def test_a_full_run_gets_those_that_wait(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shorter one, or one with a knob turned, does not: they are about the catalogue's own."""
    assert of_a_run(monkeypatch) == BEFORE
    assert of_a_run(monkeypatch, scale=0.5) == []
    turned = replace(ENTRY, turned=(Turned("load.per_s", "80", "50"),))
    assert predicted(turned, Options(1, 1, 1.0, "local", folder), asked=False).predictions == ()


def test_those_typed_now_take_their_place(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And wait, should the run not come about; for another kind of run they are of that run alone."""
    assert of_a_run(monkeypatch, scale=0.5, typed=NOW) == NOW
    assert kept(ENTRY.name, folder) == BEFORE
    assert of_a_run(monkeypatch, typed=NOW) == NOW
    assert kept(ENTRY.name, folder) == NOW


def test_skipping_every_question_forgets_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of before wait on."""
    assert of_a_run(monkeypatch, typed=[]) == []
    assert kept(ENTRY.name, folder) == BEFORE
