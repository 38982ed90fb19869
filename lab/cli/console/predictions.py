"""Predictions in the terminal: the questions of a page asked one by one, and guesses beside what was measured."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from rich.console import Console
from rich.text import Text

from lab.cli.console.shapes import Cell, dim, lines, list_of, put, table
from lab.errors import LabError
from lab.kit.screen import console
from lab.record import ClaimSpec, Judgement, Prediction, QuestionSpec, Spec
from lab.record.predictions import answering, read, result_of, score, unit
from lab.record.words import nearest_bound, quantity

Line = Callable[[], str]  # what is typed, without its line end; EOFError where there is no more


def ask(spec: Spec, aside: bool = False, line: Line | None = None) -> list[Prediction]:
    """Ask each question of an experiment's page; `aside` on standard error. Gives the answers, without those skipped.

    Raises LabError where there is nothing to ask, or no terminal to ask in.
    """
    if not spec.questions:
        raise LabError(f"the page of {spec.name} asks for no prediction; run it: make scenario NAME={spec.name}")
    if line is None:
        if not sys.stdin.isatty():
            raise LabError("predictions are typed in a terminal, and standard input is not one; leave out PREDICT=1")
        line = input
    to = console(stderr=aside)
    put(to, Text(spec.title, "bold"), Text(spec.question), "")
    put(to, dim("Guess before you look. Enter skips a question; the unit may be left out."))
    found: list[Prediction] = []
    try:
        for number, question in enumerate(spec.questions, 1):
            put(to, "", list_of([(f"{number}.", question.text)]))
            claim = answering(question, spec)
            put(to, dim(f"   {_asked_for(claim)}"))
            answer = _answer(question, claim, lambda: _typed(to, line), lambda text: put(to, text))
            found += [answer] if answer else []
    except EOFError:
        put(to, "")
    put(to, "", dim(f"{len(found)} of {len(spec.questions)} answered"))
    return found


def _typed(to: Console, line: Line) -> str:
    to.print("   > ", end="")
    to.file.flush()
    return line()


def _asked_for(claim: ClaimSpec | None) -> str:
    """The unit, and where it is measured."""
    if claim is None:
        return "in words; the answer is not a number"
    what = f"a {unit(claim)}" if claim.of else f"in {unit(claim)}" if unit(claim) else "a number"
    return f"{what}, {claim.variant}, {claim.phase}"


def _answer(
    question: QuestionSpec, claim: ClaimSpec | None, line: Line, say: Callable[[str], None]
) -> Prediction | None:
    """One answer, asked for until it can be read or is left out."""
    while text := line().strip():
        if claim is None:
            return Prediction(question.text, text)
        try:
            return Prediction(question.text, text, read(text, claim), claim.text)
        except ValueError as error:
            say(f"   {error}; Enter skips")
    return None


def predictions_data(predictions: Sequence[Prediction], judgement: Judgement | None) -> list[dict[str, Any]]:
    """Predictions for a machine: what was typed, measured, and the factor between."""
    found = []
    for one in predictions:
        result = result_of(one, judgement)
        factor = score(one.value, result).factor if result and one.value is not None else None
        found.append({**msgspec.to_builtins(one), "measured": result.value if result else None, "factor": factor})
    return found


def scored(predictions: Sequence[Prediction], judgement: Judgement | None) -> None:
    """Print each guess beside what was measured, with the factor between."""
    rows: list[list[Cell]] = []
    for one in predictions:
        result = result_of(one, judgement)
        measured, far = "-", ""
        if result is not None and result.value is not None:
            beside = nearest_bound(result.claim, result.value)
            measured = ("≥ " if result.censored else "") + quantity(result.value, result.claim, beside)
            far = score(one.value, result).text if one.value is not None else ""
        rows.append([lines(one.question, dim(far) if far else None), one.typed, measured])
    to = console()
    put(to, table(to, ["predicted", "guess", "measured"], rows, fixed=(1, 2)), "")
