"""
Waits, in milliseconds, from raw samples and never from histograms.

A wait runs from the moment an operation was due, not from when it could be sent: a load that waits for a stalled
system would otherwise leave out just the waits that the stall caused (coordinated omission; Tene, "How NOT to
Measure Latency"). Operations that were never answered count as at least the time-out, and are never left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.metrics.declare import Measured, metric
from lab.metrics.window import Window
from lab.record import Operations

if TYPE_CHECKING:
    from lab.metrics.arithmetic import Bools, Floats


def chosen(window: Window, operation: str | None) -> Operations:
    """The operations due in the phase, of one kind or of all."""
    operations = window.operations
    if operation is None:
        return operations
    return operations.where(operations.being("operation", operation))


def nothing(window: Window, operation: str | None) -> Measured:
    """Say that no operation was due."""
    return Measured(None, why=f"no {operation or 'operation'} was due in {window.text}")


def _waits_ms(window: Window, operation: str | None, naive: bool = False) -> tuple[Floats, Bools]:
    from lab.metrics.arithmetic import ends_s

    operations = chosen(window, operation)
    end_s, answered = ends_s(operations, window.timeout_s)
    return (end_s - (operations.start_s if naive else operations.due_s)) * 1000, answered


def _percentile(window: Window, operation: str | None, per_mille: int, naive: bool = False) -> Measured:
    from lab.metrics.arithmetic import nearest_rank

    waits_ms, answered = _waits_ms(window, operation, naive)
    if not len(waits_ms):
        return nothing(window, operation)
    needed = -(-1000 // (1000 - per_mille)) if per_mille < 1000 else 1
    if len(waits_ms) < needed:  # its rank would be the last: a maximum under another name
        why = f"a p{per_mille / 10:g} takes at least {needed:,} operations; {window.text} has {len(waits_ms)}"
        return Measured(None, why=why)
    return Measured(*nearest_rank(waits_ms, answered, per_mille))


@metric("ms")
def p50_ms(window: Window, operation: str | None = None) -> Measured:
    """The median wait (nearest rank), of one kind of operation or of all."""
    return _percentile(window, operation, 500)


@metric("ms")
def p90_ms(window: Window, operation: str | None = None) -> Measured:
    """The wait that 90 % of operations did not exceed (nearest rank)."""
    return _percentile(window, operation, 900)


@metric("ms")
def p95_ms(window: Window, operation: str | None = None) -> Measured:
    """The wait that 95 % of operations did not exceed (nearest rank)."""
    return _percentile(window, operation, 950)


@metric("ms")
def p99_ms(window: Window, operation: str | None = None) -> Measured:
    """The wait that 99 % of operations did not exceed (nearest rank)."""
    return _percentile(window, operation, 990)


@metric("ms")
def p999_ms(window: Window, operation: str | None = None) -> Measured:
    """The wait that 99.9 % of operations did not exceed (nearest rank); takes 1,000 operations or more."""
    return _percentile(window, operation, 999)


@metric("ms")
def max_ms(window: Window, operation: str | None = None) -> Measured:
    """The longest wait."""
    return _percentile(window, operation, 1000)


@metric("ms")
def mean_ms(window: Window, operation: str | None = None) -> Measured:
    """The mean wait; at least that where an operation was never answered."""
    waits_ms, answered = _waits_ms(window, operation)
    if not len(waits_ms):
        return nothing(window, operation)
    return Measured(float(waits_ms.mean()), censored=not answered.all())


@metric("ms")
def naive_p99_ms(window: Window, operation: str | None = None) -> Measured:
    """The p99 as most load tools report it, from when an operation was sent: to be held against `p99_ms`."""
    return _percentile(window, operation, 990, naive=True)
