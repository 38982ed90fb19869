"""What to predict before looking; the answers stay folded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lab.report.numbers import claim_value
from lab.report.view import View

TITLE = "Predict first"


@dataclass(frozen=True)
class Data:
    """Questions, the measured answers (claim, where, value), and what to look at afterwards."""

    questions: Sequence[str]
    answers: Sequence[tuple[str, str, str]]
    look_at: Sequence[str]


def build(view: View) -> Data | None:
    """None where the scenario asks for no prediction and points at nothing."""
    spec = view.spec
    if not spec.predict and not spec.look_at:
        return None
    results = view.judgement.claims if view.judgement else []
    answers = [
        (r.claim.text, f"{r.claim.variant}, {r.claim.phase}", claim_value(r.value, r.claim))
        for r in results
        if r.value is not None
    ]
    return Data(spec.predict, answers, spec.look_at)
