"""What to predict before looking; where it was, guess beside measured, and the answers else stay folded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lab.record import ClaimResult, Prediction, QuestionSpec
from lab.record.predictions import result_of, score
from lab.report.numbers import claim_value
from lab.report.view import View

TITLE = "Predict first"
Measured = tuple[str, str, str]  # claim, where, value


@dataclass(frozen=True)
class Asked:
    """A question, what was measured of it, and what paper says."""

    text: str
    measured: Sequence[Measured]
    worked_out: str


@dataclass(frozen=True)
class Guess:
    """A question that was answered before the run: what was typed, what was measured, how far they are apart.

    `measured` and `far` are empty where no claim answers it, or where that was not measured.
    """

    text: str
    typed: str
    read_as: str
    measured: str
    where: str
    far: str
    worked_out: str


@dataclass(frozen=True)
class Data:
    """Questions, those answered before the run, what was measured beside them, and what to look at afterwards."""

    questions: Sequence[Asked]
    others: Sequence[Measured]
    look_at: Sequence[str]
    guesses: Sequence[Guess] = ()


def build(view: View) -> Data | None:
    """None where the page asks for no prediction and points at nothing."""
    spec = view.spec
    if not spec.predict and not spec.look_at:
        return None
    results = [each for each in view.judgement.claims if each.value is not None] if view.judgement else []
    guessed = {each.question for each in view.record.predictions}
    left = [question for question in spec.questions if question.text not in guessed]
    asked = [Asked(q.text, [_measured(r) for r in results if _answers(r, q)], q.worked_out) for q in left]
    others = [_measured(r) for r in results if not any(_answers(r, q) for q in spec.questions)]
    return Data(asked, others, spec.look_at, [_guess(view, each) for each in view.record.predictions])


def _guess(view: View, prediction: Prediction) -> Guess:
    worked_out = next((q.worked_out for q in view.spec.questions if q.text == prediction.question), "")
    result = result_of(prediction, view.judgement)
    if result is None or result.value is None:
        return Guess(prediction.question, prediction.typed, "", "", "", "", worked_out)
    measured = ("at least " if result.censored else "") + claim_value(result.value, result.claim)
    where = f"{result.claim.text}; {result.claim.variant}, {result.claim.phase}"
    if prediction.value is None:
        return Guess(prediction.question, prediction.typed, "", measured, where, "", worked_out)
    read_as = claim_value(prediction.value, result.claim)
    far = score(prediction.value, result).text
    return Guess(prediction.question, prediction.typed, read_as, measured, where, far, worked_out)


def _answers(result: ClaimResult, question: QuestionSpec) -> bool:
    return bool({result.claim.text, result.claim.metric.name} & set(question.answered_by))


def _measured(result: ClaimResult) -> Measured:
    claim = result.claim
    value = "not measured" if result.value is None else claim_value(result.value, claim)
    return claim.text, f"{claim.variant}, {claim.phase}", value
