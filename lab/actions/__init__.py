"""
Actions for scenario files: `from lab import actions`, then `actions.promote(...)`.

One file an action; each name below is the one that its file ends with. Unlike a fault, an action is done at a moment
and stays done.
"""

from __future__ import annotations

from collections.abc import Sequence

from lab.actions.promote import promote
from lab.model import Action, Phase
from lab.record import ActionSpec

__all__ = ["promote", "specs"]


def specs(phases: Sequence[Phase], scale: float = 1.0) -> list[ActionSpec]:
    """The actions of all phases as plain data, each with its phase."""
    return [_spec(phase, action, scale) for phase in phases for action in phase.actions]


def _spec(phase: Phase, action: Action, scale: float) -> ActionSpec:
    kind = type(action).__module__.rpartition(".")[2]
    return ActionSpec(kind, phase.name, action.after_s * scale, action.text, [each.name for each in action.targets])
