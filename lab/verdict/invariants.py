"""An invariant against the history of every trial, and in variants that are meant to break it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from inspect import signature

from lab import checkers
from lab.checkers.history import Finding, History
from lab.record import Anomaly, InvariantResult, InvariantSpec, Run, Verdict

MAX_ANOMALIES = 20  # what a reader looks at; the count is in the sentence


def judge_invariant(run: Run, invariant: InvariantSpec, variant: str) -> InvariantResult:
    """Check the history of each trial: one that breaks it is enough for FAIL, one that cannot tell for UNKNOWN."""
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
        if verdict == "PASS" and _before_the_fault(run, variant, anomalies):
            verdict, why = "UNKNOWN", f"is broken before the fault alone: {anomalies[0].text}"
    checked = sum(finding.checked for finding in findings)
    return InvariantResult(invariant, variant, verdict, why, checked, anomalies[:MAX_ANOMALIES], len(anomalies))


def _check(invariant: InvariantSpec, history: History) -> Finding:
    """Run the checker; a record that names what this lab lacks, or a checker that breaks down, proves nothing."""
    try:
        signature(checkers.checker(invariant.check)).bind(history, **invariant.args)
    except KeyError:
        return Finding("UNKNOWN", f'this lab has no checker "{invariant.check}"')
    except TypeError as error:
        return Finding("UNKNOWN", f'checker "{invariant.check}" does not take these arguments: {error}')
    try:
        return checkers.run(invariant.check, history, invariant.args)
    except Exception as error:
        return Finding("UNKNOWN", f'checker "{invariant.check}" failed: {type(error).__name__}: {error}')


def _before_the_fault(run: Run, variant: str, anomalies: Sequence[Anomaly]) -> bool:
    """Whether all that was found is of operations that ended before the first fault: then it broke nothing."""
    spec = run.record.spec
    broken = [k for k, phase in enumerate(spec.phases) if phase.faults]
    if not broken:
        return False
    calm = {phase.name for phase in spec.phases[: broken[0]]}
    shown = [anomaly for anomaly in anomalies if anomaly.operations]
    if not shown or len(shown) < len(anomalies):
        return False
    early = {
        trial: {int(n) for n, phase in zip(found.n, found.phase, strict=True) if phase in calm}
        for trial in {anomaly.trial for anomaly in shown}
        for found in [run.operations(variant, trial)]
    }
    return all(set(anomaly.operations) <= early[anomaly.trial] for anomaly in shown)


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
