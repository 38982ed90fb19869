"""
What became of acknowledged writes: whether they are still there at the end, as a readback tells.

Window: acknowledged operations with a key that the phase's faults could take: those answered before the first fault of
this phase was injected, and after the last one of an earlier phase. What no later fault could take counts in the phase
in which it was due.
Whose: operations that were acknowledged (outcome `ok`).
Censored: never.
Minimum: 20 such operations.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Set
from typing import Any

from lab.metrics.declare import metric
from lab.metrics.measured import Measured, too_few
from lab.metrics.window import Window


@metric("")
def acknowledged_lost(
    window: Window, readback: str, at: str = "effects", *, over: str = "", behind_s: float | None = None
) -> Measured:
    """Acknowledged operations whose key the readback does not list `at`, counted where they were lost.

    A crash takes what was acknowledged before it: that counts in the crash's phase, and not in the healthy one in which
    it was written. What one crash takes is partly chance; with `over="crash-1, crash-2"` those of several phases are
    added up, for a claim about one of them. In any other phase, that phase's own count.

    What a control claim loses by this must have been there before its first fault. The readback is asked then too, and
    has to list what was acknowledged until `behind_s` seconds before, for a place that is written so much later.
    """
    there = listed_keys(window.readback(readback), at)
    if there is None:
        return Measured(None, why=f'the readback "{readback}" gave no list or object "{at}"')
    named = [name.strip() for name in over.split(",") if name.strip()]
    phases = set(named) if window.phase.name in named else {window.phase.name}
    acknowledged = _exposed(window, phases)
    n = len(acknowledged)
    few = too_few(n, "acknowledged operations were there to be lost", window.text)
    return few or Measured(float(sum(key not in there for key in acknowledged)), n=n)


def missing_early(window: Window, readback: str, at: str, behind_s: float = 0.0) -> Measured | None:
    """Acknowledged operations of before the first fault that the readback did not list then.

    None where the run's record has no such readback; a value of None where the one that it has lists nothing.
    """
    early = window.run.early(window.variant, window.trial)
    if early is None:
        return None
    there = listed_keys(early.answers.get(readback), at)
    if there is None:
        return Measured(None, why=f'the readback "{readback}" gave no list or object "{at}" before the fault')
    operations = window.all_operations
    columns = (operations.key, operations.outcome, operations.end_s)
    written = {
        str(key)
        for key, outcome, end_s in zip(*columns, strict=True)
        if key is not None and outcome == "ok" and end_s < early.at_s - behind_s
    }
    few = too_few(len(written), "operations were acknowledged", "the time before the fault")
    return few or Measured(float(len(written - there)), n=len(written))


def listed_keys(answer: Any, at: str) -> set[str] | None:
    """The keys that a readback's answer lists, or has as names, under `at`; None where it has no such list."""
    listed = answer.get(at) if isinstance(answer, dict) else None
    return {str(key) for key in listed} if isinstance(listed, list | dict) else None


def _exposed(window: Window, phases: Set[str]) -> list[str]:
    """The keys of acknowledged operations that the faults of these phases were the next to come after."""
    episode = window.run.episode(window.variant, window.trial)
    faults = sorted((receipt.injected_s, receipt.phase) for receipt in (episode.receipts if episode else []))
    moments = [injected_s for injected_s, _ in faults]
    operations = window.all_operations
    columns = (operations.key, operations.outcome, operations.end_s, operations.phase)
    found: list[str] = []
    for key, outcome, end_s, own in zip(*columns, strict=True):
        if key is not None and outcome == "ok":
            following = bisect_left(moments, float(end_s))
            phase = faults[following][1] if following < len(faults) else str(own)
            if phase in phases:
                found.append(str(key))
    return found
