"""How many operations succeeded, and how many a second."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.metrics.declare import Measured, metric
from lab.metrics.latency import chosen, nothing
from lab.metrics.window import Window

if TYPE_CHECKING:
    from lab.metrics.arithmetic import Bools


@metric("")
def requests(window: Window, operation: str | None = None) -> float:
    """Operations that were due in the phase."""
    return float(len(chosen(window, operation)))


@metric("")
def requests_lost(window: Window, operation: str | None = None) -> float:
    """Operations due in the phase that did not succeed: refused, failed, or never answered."""
    return float((~chosen(window, operation).ok).sum())


@metric("")
def success_ratio(window: Window, operation: str | None = None) -> Measured:
    """Share of the operations due in the phase that succeeded, 0 to 1."""
    ok = chosen(window, operation).ok
    return Measured(float(ok.mean())) if len(ok) else nothing(window, operation)


@metric("")
def error_ratio(window: Window, operation: str | None = None) -> Measured:
    """Share of the operations due in the phase that did not succeed, 0 to 1."""
    ok = chosen(window, operation).ok
    return Measured(float((~ok).mean())) if len(ok) else nothing(window, operation)


@metric("/s")
def throughput_per_s(window: Window, operation: str | None = None) -> float:
    """Operations answered within the phase, whatever the answer and whenever due, a second."""
    return _per_s(window, operation, window.all_operations.status > 0)


@metric("/s")
def goodput_per_s(window: Window, operation: str | None = None) -> float:
    """Operations that succeeded within the phase, whenever due, a second."""
    return _per_s(window, operation, window.all_operations.ok)


def _per_s(window: Window, operation: str | None, counted: Bools) -> float:
    operations, phase = window.all_operations, window.phase
    within = (operations.end_s >= phase.start_s) & (operations.end_s < phase.end_s)
    if operation is not None:
        within &= operations.being("operation", operation)
    return float((counted & within).sum() / window.lasts_s)


@metric("")
def max_in_flight(window: Window) -> float:
    """The most operations in flight at once in the phase, those of earlier phases among them."""
    from lab.metrics.arithmetic import ends_s, most_at_once

    operations = window.all_operations
    end_s = ends_s(operations, window.timeout_s)
    return float(most_at_once(operations.start_s, end_s, window.phase.start_s, window.phase.end_s))
