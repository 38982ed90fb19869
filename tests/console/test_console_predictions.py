"""Predictions in the terminal: asked one by one, again where they cannot be read, and set beside what was measured."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from lab import catalogue
from lab.cli.console import predictions
from lab.errors import LabError
from lab.record import Prediction, Run

SPEC = catalogue.find("circuit-breaker").spec()


def typing(*lines: str) -> Callable[[], str]:
    """Somebody who types these lines, and then Ctrl-D."""
    left: Iterator[str] = iter(lines)

    def line() -> str:
        try:
            return next(left)
        except StopIteration:
            raise EOFError from None

    return line


def asked(*lines: str) -> list[Prediction]:
    """What becomes of them."""
    return predictions.ask(SPEC, line=typing(*lines))


def test_each_question_is_asked_with_its_unit(screen: Callable[..., str]) -> None:
    """Enter skips; the number is kept in the claim's unit, beside what was typed."""
    made: list[Prediction] = []
    told = screen(lambda: made.extend(asked("0.5 s", "31", "", "2.3")))
    first = SPEC.questions[0].text
    assert made[0] == Prediction(first, "0.5 s", 500.0, "callers wait out the timeout")
    assert [each.typed for each in made] == ["0.5 s", "31", "2.3"]
    assert "in ms, off, fault" in told
    assert "a number, on, fault" in told
    assert "3 of 4 answered" in told


def test_what_cannot_be_read_is_asked_again(screen: Callable[..., str]) -> None:
    """With what to type; the end of the input leaves out the rest."""
    made: list[Prediction] = []
    told = screen(lambda: made.extend(asked("soon", "-1", "500")))
    assert [each.value for each in made] == [500.0]
    assert "'soon' is no number; type milliseconds, such as 20 or 20 ms; Enter skips" in told
    assert "'-1' is not a number of 0 or more" in told


def test_a_question_that_no_number_answers_takes_words(screen: Callable[..., str]) -> None:
    """They are kept and not scored."""
    made: list[Prediction] = []
    spec = catalogue.find("isolation-matrix").spec()
    told = screen(lambda: made.extend(predictions.ask(spec, line=typing("read committed"))))
    assert made == [Prediction(spec.questions[0].text, "read committed")]
    assert "in words" in told


def test_without_a_terminal_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one sentence, before anything starts; so does an experiment that asks nothing."""
    monkeypatch.setattr("sys.stdin", io.StringIO("5\n"))
    with pytest.raises(LabError, match="standard input is not one; leave out PREDICT=1"):
        predictions.ask(SPEC)
    with pytest.raises(LabError, match="asks for no prediction"):
        predictions.ask(replace(SPEC, predict=[]))


def test_guesses_stand_beside_what_was_measured(made: dict[str, Run], screen: Callable[..., str]) -> None:
    """With the factor between; in words there is none."""
    run = made["sound"]
    guessed = [
        Prediction("How long?", "100", 100.0, "callers wait out the timeout"),
        Prediction("Why?", "because"),
        Prediction("Gone?", "3", 3.0, "a claim that is there no more"),
    ]
    told = screen(lambda: predictions.scored(guessed, run.record.judgement), width=100)
    assert run.record.judgement
    measured = run.record.judgement.claims[0].value
    assert measured
    assert f"{measured / 100:.0f} × too low" in told
    assert "because" in told
