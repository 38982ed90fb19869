"""What to predict before looking; the answers stay folded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lab.record import ClaimResult, QuestionSpec
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
class Data:
    """Questions, what was measured beside them, and what to look at afterwards."""

    questions: Sequence[Asked]
    others: Sequence[Measured]
    look_at: Sequence[str]


def build(view: View) -> Data | None:
    """None where the page asks for no prediction and points at nothing."""
    spec = view.spec
    if not spec.predict and not spec.look_at:
        return None
    results = [each for each in view.judgement.claims if each.value is not None] if view.judgement else []
    asked = [Asked(q.text, [_measured(r) for r in results if _answers(r, q)], q.worked_out) for q in spec.questions]
    others = [_measured(r) for r in results if not any(_answers(r, q) for q in spec.questions)]
    return Data(asked, others, spec.look_at)


def _answers(result: ClaimResult, question: QuestionSpec) -> bool:
    return bool({result.claim.text, result.claim.metric.name} & set(question.answered_by))


def _measured(result: ClaimResult) -> Measured:
    claim = result.claim
    value = "not measured" if result.value is None else claim_value(result.value, claim)
    return claim.text, f"{claim.variant}, {claim.phase}", value
