"""
From a record to PASS, FAIL or UNKNOWN, with the evidence. Pure: the same record always gives the same judgement.

UNKNOWN comes first: where a condition of the experiment is not met (the fault was not in force, the load was not
reached, the control did not hurt), neither PASS nor FAIL would mean anything. A violation that was seen all the same is
named with it.
"""

from __future__ import annotations

from collections.abc import Sequence

from lab.record import ClaimResult, InvariantResult, Judgement, Run, Verdict
from lab.verdict.claims import DID_NOT_HURT, Taken, judge_claim
from lab.verdict.conditions import conditions
from lab.verdict.invariants import judge_invariant

__all__ = ["judge"]


def judge(run: Run) -> Judgement:
    """Judge every claim and invariant of a run, and the run."""
    met = conditions(run)
    taken = Taken(run)
    claims = [judge_claim(taken, claim) for claim in run.record.spec.claims]
    invariants = [
        judge_invariant(run, invariant, variant)
        for invariant in run.record.spec.invariants
        for variant in (invariant.variants or [v.name for v in run.record.spec.variants])
    ]
    unmet = [condition.text for condition in met if not condition.met]
    verdict, reasons = _verdict(run.record.spec.control, unmet, claims, invariants)
    return Judgement(verdict, reasons, met, claims, invariants)


def _verdict(
    control: str, unmet: Sequence[str], claims: Sequence[ClaimResult], invariants: Sequence[InvariantResult]
) -> tuple[Verdict, list[str]]:
    seen = [
        f'seen all the same: "{r.invariant.text}" in {r.variant}: {r.why}'
        for r in invariants
        if r.verdict == "FAIL" and r.variant not in r.invariant.broken_in
    ]
    if unmet:
        return "UNKNOWN", [*unmet, *seen]
    painless = [_painless(r) for r in claims if r.claim.control and r.verdict != "PASS"]
    called = {control: f"the control {control}"}
    painless += [
        f'{called.get(r.variant, f"variant {r.variant}")} does not break "{r.invariant.text}": {r.why}'
        for r in invariants
        if r.variant in r.invariant.broken_in and r.verdict != "PASS"
    ]
    if painless:
        return "UNKNOWN", [*painless, *seen]
    judged: list[tuple[Verdict, str]] = [(r.verdict, f'"{r.claim.text}" {r.why}') for r in claims]
    judged += [(r.verdict, f'"{r.invariant.text}" in {r.variant}: {r.why}') for r in invariants]
    for verdict in ("FAIL", "UNKNOWN"):
        reasons = [why for which, why in judged if which == verdict]
        if reasons:
            return verdict, reasons
    held = len([r for r in claims if not r.claim.control])
    kept = len(invariants)
    return "PASS", [f"{held} of {held} claims held" + (f", {kept} of {kept} invariants kept" if kept else "")]


def _painless(result: ClaimResult) -> str:
    how = "does not hurt" if result.did_not_hurt else "proves nothing"
    return f'the control {how}: "{result.claim.text}" {result.why.removeprefix(DID_NOT_HURT)}'
