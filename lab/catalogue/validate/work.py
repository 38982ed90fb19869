"""
Whether each protected variant claims the work that it still does, phase by phase: refusing everything never passes.

Held over the catalogue by a test, and not asked of every file: a first experiment may have one claim.
"""

from __future__ import annotations

from lab.catalogue.validate.said import Problems, one_of
from lab.model import Claim, Scenario, Variant

# What counts the work that succeeded, and the side on which its bound stands.
_MOST_LOST = ("acknowledged_lost", "error_ratio", "messages_lost", "recovery_s", "requests_lost")
_LEAST_DONE = ("goodput_per_s", "success_ratio")


def unclaimed_work(scenario: Scenario) -> Problems:
    """Phases in which a variant with the pattern on claims nothing about success, and does not say why.

    The control needs none, nor does a variant that is meant to break an invariant: neither is protected.
    """
    phases = [phase.name for phase in scenario.phases]
    broken = {name for invariant in scenario.every_invariant for name in invariant.broken_in}
    for variant in scenario.variants[1:]:
        claimed = {claim.phase for claim in scenario.claims if claim.variant == variant.name and _is_work(claim)}
        for phase in phases:
            if phase not in claimed and phase not in variant.unclaimed and variant.name not in broken:
                nothing = f'variant "{variant.name}" claims nothing about the work that it does in "{phase}"'
                yield f'{nothing}: claim its success there, or say why not with unclaimed={{"{phase}": "..."}}.'
        yield from _excuses(variant, phases, claimed)


def _excuses(variant: Variant, phases: list[str], claimed: set[str]) -> Problems:
    for phase, why in variant.unclaimed.items():
        if phase not in phases:
            yield f'variant "{variant.name}" says why it claims nothing in "{phase}"; {one_of(phase, phases)}'
        elif phase in claimed:
            yield f'variant "{variant.name}" says why it claims nothing in "{phase}", and claims something there.'
        elif not str(why).strip():
            yield f'variant "{variant.name}" gives no reason for claiming nothing in "{phase}".'


def _is_work(claim: Claim) -> bool:
    if claim.control:
        return False
    if claim.metric.name in _MOST_LOST:
        return claim.at_most is not None
    return claim.metric.name in _LEAST_DONE and claim.at_least is not None
