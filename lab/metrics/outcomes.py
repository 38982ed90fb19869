"""
How many operations succeeded, and how many a second.

Window: operations due in the phase; for a share, only from when the injection of its faults began, and faults of
earlier phases were out, until its faults are removed.
Whose: operations of one kind or of all.
Censored: never; what is not known to have succeeded did not.
Minimum: 20 operations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.metrics.declare import metric
from lab.metrics.latency import chosen, nothing
from lab.metrics.measured import Measured, too_few
from lab.metrics.window import Window
from lab.record import Operations

if TYPE_CHECKING:
    from lab.metrics.arithmetic import Bools


@metric("")
def requests(window: Window, operation: str | None = None) -> Measured:
    """Operations that were due in the phase.

    Minimum: one operation.
    """
    due = len(_due(window, operation))
    return Measured(float(due), n=due) if due else nothing(window, operation)


@metric("")
def requests_lost(window: Window, operation: str | None = None) -> Measured:
    """Operations due in the phase that did not succeed: refused, failed, or never answered."""
    ok = _due(window, operation).ok
    return _enough(window, operation, len(ok)) or Measured(float((~ok).sum()), n=len(ok))


@metric("")
def success_ratio(window: Window, operation: str | None = None) -> Measured:
    """Share of the operations due in the phase that succeeded, 0 to 1."""
    ok = chosen(window, operation).ok
    return _enough(window, operation, len(ok)) or Measured(float(ok.mean()), n=len(ok))


@metric("")
def error_ratio(window: Window, operation: str | None = None) -> Measured:
    """Share of the operations due in the phase that did not succeed, 0 to 1."""
    ok = chosen(window, operation).ok
    return _enough(window, operation, len(ok)) or Measured(float((~ok).mean()), n=len(ok))


@metric("/s")
def throughput_per_s(window: Window, operation: str | None = None) -> Measured:
    """Operations answered within the phase, whatever the answer, a second.

    Window: answers that come from when the injection of the phase's faults began, and faults of earlier phases were
    out, until its faults are removed; whenever the operation was due.
    Minimum: 20 operations that were due or answered in that time.
    """
    from lab.metrics.arithmetic import answered

    return _per_s(window, operation, answered(window.all_operations))


@metric("/s")
def goodput_per_s(window: Window, operation: str | None = None) -> Measured:
    """Operations that succeeded within the phase, a second.

    Window: answers that come from when the injection of the phase's faults began, and faults of earlier phases were
    out, until its faults are removed; whenever the operation was due.
    Minimum: 20 operations that were due or answered in that time.
    """
    return _per_s(window, operation, window.all_operations.ok)


def _per_s(window: Window, operation: str | None, counted: Bools) -> Measured:
    operations, start_s, end_s = window.all_operations, window.from_s, window.to_s
    within = (operations.end_s >= start_s) & (operations.end_s < end_s)
    due = (operations.due_s >= start_s) & (operations.due_s < end_s)
    if operation is not None:
        mine = operations.being("operation", operation)
        within, due = within & mine, due & mine
    n = int((within | due).sum())
    return _enough(window, operation, n) or Measured(float((counted & within).sum() / (end_s - start_s)), n=n)


@metric("")
def max_in_flight(window: Window) -> Measured:
    """The most operations in flight at once in the phase.

    Window: moments from when the injection of the phase's faults began, and faults of earlier phases were out, until
    its faults are removed. An operation is in flight from when it is sent until its caller has an answer or gives up.
    Whose: every operation, those of earlier phases among them.
    Minimum: 20 operations due in that time.
    """
    from lab.metrics.arithmetic import ends_s, most_at_once

    operations, due = window.all_operations, len(window.operations)
    end_s = ends_s(operations, window.timeout_s)
    most = most_at_once(operations.start_s, end_s, window.from_s, window.to_s)
    return _enough(window, None, due) or Measured(float(most), n=due)


def _due(window: Window, operation: str | None) -> Operations:
    """Those due in the phase as planned, so that the counts of all phases add up to the whole load."""
    due = window.of_phase
    return due if operation is None else due.where(due.being("operation", operation))


def _enough(window: Window, operation: str | None, n: int) -> Measured | None:
    if not n:
        return nothing(window, operation)
    return too_few(n, f"{operation or 'operations'} due", window.text)
