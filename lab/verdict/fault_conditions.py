"""What must be so of the faults of a run: each was injected, read back, and its dose arrived."""

from __future__ import annotations

from collections.abc import Iterator

from lab.record import Condition, Run
from lab.verdict.where import where_in


def faults_in_force(run: Run) -> Condition:
    """Whether every fault was injected, read back and seen by the canary, in every pass."""
    problems = list(_fault_problems(run))
    if problems:
        return Condition("faults in force", False, problems[0])
    return Condition("faults in force", True, "every fault was read back and its dose arrived")


def _fault_problems(run: Run) -> Iterator[str]:
    for episode in run.record.episodes:
        for phase in run.record.spec.phases:
            for fault in phase.faults:
                receipts = [r for r in episode.receipts if r.phase == phase.name and r.fault == fault]
                where = f"{fault.text} in {phase.name}, {where_in(run, episode)}"
                if not receipts:
                    yield f"the fault was not in force ({where}): it was never injected"
                for receipt in receipts:
                    if receipt.read_back.get("reached") is False:
                        at, within_s = (receipt.read_back.get(name, "?") for name in ("barrier", "within_s"))
                        yield f"the fault was not in force ({where}): no operation came by {at} within {within_s} s"
                    if not receipt.dose.in_force:
                        why = receipt.dose.why or receipt.dose.observed
                        yield f"the fault was not in force ({where}): {why}"
