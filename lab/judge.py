"""
From a record to PASS, FAIL or UNKNOWN, with the evidence. Pure: the same record always gives the same judgement.

UNKNOWN comes first: where a condition of the experiment is not met (the fault was not in force, the load was not
reached, the control did not hurt), neither PASS nor FAIL would mean anything.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lab import checkers, metrics
from lab.checkers.history import Finding, History
from lab.conditions import conditions
from lab.record import (
    Anomaly,
    ClaimResult,
    ClaimSpec,
    Interval,
    InvariantResult,
    InvariantSpec,
    Judgement,
    Run,
    Verdict,
)
from lab.record.words import bounds, quantity

CONFIDENCE = 0.95
RESAMPLES = 2_000
MIN_TRIALS_FOR_INTERVAL = 3  # the median of two resampled values takes three values at most: no interval
MAX_ANOMALIES = 20  # what a reader looks at; the count is in the sentence


def judge(run: Run) -> Judgement:
    """Judge every claim and invariant of a run, and the run."""
    met = conditions(run)
    claims = [_claim(run, claim) for claim in run.record.spec.claims]
    invariants = [
        _invariant(run, invariant, variant)
        for invariant in run.record.spec.invariants
        for variant in (invariant.variants or [v.name for v in run.record.spec.variants])
    ]
    unmet = [condition.text for condition in met if not condition.met]
    verdict, reasons = _verdict(run.record.spec.control, unmet, claims, invariants)
    return Judgement(verdict, reasons, met, claims, invariants)


def _verdict(
    control: str, unmet: Sequence[str], claims: Sequence[ClaimResult], invariants: Sequence[InvariantResult]
) -> tuple[Verdict, list[str]]:
    if unmet:
        return "UNKNOWN", list(unmet)
    painless = [
        f'the control does not hurt: "{r.claim.text}" {r.why}'
        for r in claims
        if r.claim.control and r.verdict != "PASS"
    ]
    called = {control: f"the control {control}"}
    painless += [
        f'{called.get(r.variant, f"variant {r.variant}")} does not break "{r.invariant.text}": {r.why}'
        for r in invariants
        if r.variant in r.invariant.broken_in and r.verdict != "PASS"
    ]
    if painless:
        return "UNKNOWN", painless
    judged: list[tuple[Verdict, str]] = [(r.verdict, f'"{r.claim.text}" {r.why}') for r in claims]
    judged += [(r.verdict, f'"{r.invariant.text}" in {r.variant}: {r.why}') for r in invariants]
    for verdict in ("FAIL", "UNKNOWN"):
        reasons = [why for which, why in judged if which == verdict]
        if reasons:
            return verdict, reasons
    held = len([r for r in claims if not r.claim.control])
    kept = len(invariants)
    return "PASS", [f"{held} of {held} claims held" + (f", {kept} of {kept} invariants kept" if kept else "")]


# --- claims -----------------------------------------------------------------------------------------------------


def _claim(run: Run, claim: ClaimSpec) -> ClaimResult:
    """Measure a claim in every trial and hold the median against the bound."""
    taken = [_measure(run, claim, trial) for trial in range(1, run.record.trials + 1)]
    values = [measured.value for measured in taken]
    missing = next((m.why for m in taken if m.value is None), None)
    if missing is not None:
        return ClaimResult(claim, "UNKNOWN", None, f"could not be measured: {missing}", per_trial=values)
    known = [v for v in values if v is not None]
    value = float(np.median(known))
    # A median is only known to be "at least" where enough of the values are.
    censored = any(m.censored and m.value is not None and m.value <= value for m in taken)
    interval = _interval(known, run.record.seed)
    verdict, why = _hold(claim, value, censored, interval)
    return ClaimResult(claim, verdict, value, why, censored, interval, values)


def _measure(run: Run, claim: ClaimSpec, trial: int) -> metrics.Measured:
    mine = metrics.measure(claim.metric, metrics.window(run, claim.variant, claim.phase, trial))
    if claim.of is None or mine.value is None:
        return mine
    other = metrics.measure(claim.metric, metrics.window(run, claim.of, claim.phase, trial))
    if other.value is None:
        return replace(mine, value=None, why=f"{claim.of}: {other.why}")
    if other.value == 0:
        return replace(mine, value=None, why=f"{claim.of} has 0, and nothing can be divided by it")
    if other.censored:
        return replace(mine, value=None, why=f"{claim.of} is only known to be at least {other.value:g}")
    return replace(mine, value=mine.value / other.value)


def _interval(values: Sequence[float], seed: int) -> Interval | None:
    """Percentile bootstrap of the median (Efron 1979), seeded so that judging again gives the same."""
    if len(values) < MIN_TRIALS_FOR_INTERVAL:
        return None
    rng = np.random.default_rng(seed)
    resampled = np.median(rng.choice(np.asarray(values), size=(RESAMPLES, len(values))), axis=1)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return Interval(float(low), float(high), CONFIDENCE, len(values))


def _hold(claim: ClaimSpec, value: float, censored: bool, interval: Interval | None) -> tuple[Verdict, str]:
    text = ("at least " if censored else "") + quantity(value, claim)
    for bound, holds, word in (
        (claim.at_least, operator.ge, "at least"),
        (claim.at_most, operator.le, "at most"),
    ):
        if bound is None:
            continue
        asked = f"{word} {quantity(bound, claim)}"
        if interval is not None and interval.low < bound < interval.high:
            low, high = quantity(interval.low, claim), quantity(interval.high, claim)
            return "UNKNOWN", f"is inconclusive: {text}, asked {asked}, which lies inside the interval {low} to {high}"
        if not holds(value, bound):
            return "FAIL", f"is {text}, asked {asked}"
        if censored and word == "at most":
            return "UNKNOWN", f"is {text}, and how much more is not known; asked {asked}"
    return "PASS", f"is {text}, asked {bounds(claim)}"


# --- invariants -------------------------------------------------------------------------------------------------


def _invariant(run: Run, invariant: InvariantSpec, variant: str) -> InvariantResult:
    findings: list[Finding] = []
    anomalies: list[Anomaly] = []
    for trial in range(1, run.record.trials + 1):
        if run.episode(variant, trial) is None:
            findings.append(Finding("UNKNOWN", f"trial {trial} was not run to its end"))
            continue
        history = History(run.operations(variant, trial), run.readbacks(variant, trial))
        findings.append(_check(invariant, history))
        anomalies += [replace(anomaly, trial=trial) for anomaly in findings[-1].anomalies]
    verdict, why = _combine([finding.verdict for finding in findings], findings)
    if variant in invariant.broken_in:
        verdict, why = _expect_broken(verdict, why)
    checked = sum(finding.checked for finding in findings)
    return InvariantResult(invariant, variant, verdict, why, checked, anomalies[:MAX_ANOMALIES], len(anomalies))


def _check(invariant: InvariantSpec, history: History) -> Finding:
    try:
        return checkers.run(invariant.check, history, invariant.args)
    except KeyError:
        return Finding("UNKNOWN", f'this lab has no checker "{invariant.check}"')
    except TypeError as error:
        return Finding("UNKNOWN", f'checker "{invariant.check}" does not take these arguments: {error}')


def _combine(verdicts: Sequence[Verdict], findings: Sequence[Finding]) -> tuple[Verdict, str]:
    for verdict in ("FAIL", "UNKNOWN"):
        if verdict in verdicts:
            return verdict, findings[verdicts.index(verdict)].why
    return "PASS", findings[0].why if findings else "nothing to check"


def _expect_broken(verdict: Verdict, why: str) -> tuple[Verdict, str]:
    """In a variant that is meant to break it, a violation is what was to be shown."""
    if verdict == "FAIL":
        return "PASS", f"broken, as it must be without the pattern: {why}"
    if verdict == "PASS":
        return "UNKNOWN", f"holds, though it should break here: {why}"
    return verdict, why
