"""The control before the fault: what hurts there already was not done by the fault."""

from __future__ import annotations

from lab.metrics import Measured, Window
from lab.metrics.kept import missing_early
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


def missing_before(claim: ClaimSpec, window: Window) -> Measured | None:
    """Of what a control claim says that a fault took, how much was not there before; None where nobody looked."""
    args = claim.metric.args
    if claim.metric.name != "acknowledged_lost":
        return None
    behind_s = float(args.get("behind_s", 0.0))
    return missing_early(window, str(args["readback"]), str(args.get("at", "effects")), behind_s)


def not_there(phase: str, missing: Measured) -> str:
    """Say that what a fault is said to have taken was not there before, or that this is not known."""
    if missing.value is None:
        return f"could not be measured: {missing.why}"
    text = f"{missing.value:,.0f} of {missing.n:,} acknowledged operations were not there"
    return f"the fault did not take it all: in {phase}, before it, {text}"


def already(phase: str, why: str) -> str:
    """Say that a control claim holds in health too."""
    return f"the fault changed nothing in the control: in {phase}, before it, the same {why}"
