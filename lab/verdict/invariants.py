"""An invariant against the history of every trial, and in variants that are meant to break it."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace
from inspect import signature

from lab import checkers
from lab.checkers.history import Finding, History
from lab.metrics.kept import listed_keys
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
        if verdict == "PASS" and _before_the_fault(run, invariant, variant, anomalies):
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


def _before_the_fault(run: Run, invariant: InvariantSpec, variant: str, anomalies: Sequence[Anomaly]) -> bool:
    """Whether all that was found is of operations that ended before the first fault: then it broke nothing.

    It did where a readback shows that what those operations wrote was still there just before.
    """
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
    if not all(set(anomaly.operations) <= early[anomaly.trial] for anomaly in shown):
        return False
    found = {trial: {n for a in shown if a.trial == trial for n in a.operations} for trial in early}
    return not any(_was_there(run, invariant, variant, trial, numbers) for trial, numbers in found.items())


def _was_there(run: Run, invariant: InvariantSpec, variant: str, trial: int, numbers: Set[int]) -> bool:
    """Whether the invariant's readback, asked before the first fault, listed what these operations had written by then.

    Those acknowledged since then are not known of; the others have to be there, and one at least.
    """
    asked = run.early(variant, trial)
    if asked is None:
        return False
    args, operations = invariant.args, run.operations(variant, trial)
    listed = listed_keys(asked.answers.get(str(args.get("readback"))), str(args.get("at", "effects"))) or set()
    columns = zip(operations.n, operations.key, operations.end_s, strict=True)
    there = [str(key) in listed for n, key, end_s in columns if int(n) in numbers and end_s < asked.at_s]
    return bool(there) and all(there)


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
