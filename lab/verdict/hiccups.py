"""
Whether the machine, rather than the system, made a number: how late it woke a process that only slept.

Whatever waits for a timer, a packet or a lock is woken as late as that. A time that is claimed may hold as much of it
as of the load's lateness (`lateness`), or what is small for any claim. What counts no time (how many requests succeed,
which reads are stale) is not moved by it, up to where it shapes timeouts and elections: that is the run's condition.
"""

from __future__ import annotations

from collections.abc import Sequence

from lab.record import PhaseWindow
from lab.verdict.lateness import Asked

SMALL_P99_MS = 10.0  # alone on a machine 0.2 to 1.4 were seen, beside other work for 60 % of the cores 3.9
MAX_P99_MS = 25.0  # half the shortest heartbeat that a target sends, a sixth of the shortest time that it waits for one
MAX_STOLEN_SHARE = 0.05  # of all cores; 0.5 to 3 % are usual in a cloud. At 13 % a p50 of 4 ms was seen to double
TOLD_STOLEN_SHARE = 0.005  # the smallest that may explain a late waking: 15 ms of 3 s on one core


def woken_late(asked: Sequence[Asked]) -> str:
    """Why the machine decides a claim of a time, or could; empty where it does not."""
    for each in asked:
        where, phase, may_be_ms = each.window.text, each.window.phase, max(SMALL_P99_MS, each.may_be_ms)
        if phase.hiccup_p99_ms is not None and phase.hiccup_p99_ms > may_be_ms:
            return (
                f"rests on a machine that was late: it woke a sleeping process {phase.hiccup_p99_ms:.1f} ms late (p99) "
                f"in {where}{while_stolen(phase)}, and at most {may_be_ms:.3g} ms is small against what is claimed"
            )
        if (phase.stolen_share or 0) > MAX_STOLEN_SHARE and each.may_be_ms < SMALL_P99_MS:
            return f"rests on a machine that was slow: in {where} {_stolen(phase)}, which moves so short a time"
    return ""


def while_stolen(phase: PhaseWindow) -> str:
    """Whose doing it may be: then it helps nothing to stop what else runs here."""
    if phase.stolen_share is None or phase.stolen_share < TOLD_STOLEN_SHARE:
        return ""
    return f", while {_stolen(phase)}"


def _stolen(phase: PhaseWindow) -> str:
    return f"its host gave {phase.stolen_share or 0:.1%} of its CPU time to other virtual machines"
