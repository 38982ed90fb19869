"""The control before the fault: what hurts there already was not done by the fault."""

from __future__ import annotations

from lab.record import ClaimSpec, Spec


def fault_free_before(spec: Spec, claim: ClaimSpec) -> str | None:
    """The last phase before the first fault, where the claim's phase is that of a fault or comes after one; else None.

    None too where the first phase has a fault already: then nothing was seen of the control in health.
    """
    names = [phase.name for phase in spec.phases]
    broken = [k for k, phase in enumerate(spec.phases) if phase.faults]
    if not broken or broken[0] == 0 or claim.phase not in names or names.index(claim.phase) < broken[0]:
        return None
    return names[broken[0] - 1]


def already(phase: str, why: str) -> str:
    """Say that a control claim holds in health too."""
    return f"the fault changed nothing in the control: in {phase}, before it, the same {why}"
