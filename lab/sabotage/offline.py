"""Forged records: every edit of a run that passed, judged."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from lab.record import Judgement, Run
from lab.sabotage.edits import Forged, forged
from lab.sabotage.forgery import Forgery
from lab.sabotage.ledger import Result
from lab.sabotage.mutants import Excuse
from lab.verdict import judge


def passes(run: Run) -> bool:
    """Whether a run passes as it is, by the judge of today: only then does an edit show anything."""
    return judge(run).verdict == "PASS"


def sabotage(run: Run, excuses: Sequence[Excuse]) -> Iterator[Result]:
    """Judge every edit of a run. Takes about a third of a second for each."""
    for edit in forged(Forgery.of(run)):
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="sabotage-") as folder:
            judgement = judge(edit.forgery.write(Path(folder) / "run"))
        excuse = _excuse(excuses, run.record.spec.name, edit)
        yield Result(
            kind="forged",
            experiment=run.record.spec.name,
            name=edit.edit,
            where=edit.where,
            right=sorted(edit.right),
            verdict=judgement.verdict,
            reason=judgement.reasons[0] if judgement.reasons else "",
            caught=caught(edit, judgement),
            took_s=round(time.monotonic() - began, 2),
            digest=run.record.run,
            commit=run.record.git_commit or "",
            excuse=excuse,
        )


def caught(edit: Forged, judgement: Judgement) -> bool:
    """Whether the verdict is right, and rests on a claim of the variant where one has to fail."""
    if judgement.verdict not in edit.right:
        return False
    if edit.by == "any" or judgement.verdict == "UNKNOWN":
        return True
    return any(
        r.verdict == "FAIL" and r.claim.variant == edit.variant and not r.claim.control for r in judgement.claims
    )


def _excuse(excuses: Sequence[Excuse], experiment: str, edit: Forged) -> str:
    for excuse in excuses:
        if (excuse.experiment, excuse.edit, excuse.where) == (experiment, edit.edit, edit.where):
            return excuse.because
    return ""
