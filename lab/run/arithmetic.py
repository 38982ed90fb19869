"""What a run is going to do and how long that takes, before it does it."""

from __future__ import annotations

from lab.kit.screen import lasting
from lab.record import Spec

AROUND_S = 6  # what starting, draining, collecting and stopping one variant takes


def arithmetic(spec: Spec, trials: int = 1) -> str:
    """The arithmetic of a run: phases, times variants, times trials, and what comes on top."""
    phases = ", ".join(f"{phase.name} {lasting(phase.lasts_s)}" for phase in spec.phases)
    variants = ", ".join(variant.name for variant in spec.variants)
    passes = len(spec.variants) * trials
    repeated = f" x {trials} trials" if trials > 1 else ""
    return (
        f"{len(spec.variants)} variants ({variants}) x {lasting(spec.lasts_s)} ({phases}){repeated} "
        f"= {lasting(spec.lasts_s * passes)}, and about {lasting(AROUND_S * passes)} to start and stop"
    )
