"""
Waits, in milliseconds, from raw samples and never from histograms.

A wait runs from the moment an operation was due, not from when it could be sent: a load that waits for a stalled
system would otherwise leave out just the waits that the stall caused (coordinated omission; Tene, "How NOT to
Measure Latency").

Each metric says whose waits it takes, by `of`:

- `"ok"`: of operations that succeeded. Exact.
- `"refused"`: of operations answered with a definite failure (outcome `fail`), a refused connection among them. Exact.
- `"all"`: of every operation due in the phase: those two, answers that leave it open whether the operation took effect
  (500, 502, 504), and operations without an answer, each at least the timeout.

Without an answer are a timeout, a connect timeout, a reset, a connection that closed early, a garbled response, and an
operation that never ended. However soon a reset comes, the caller has no answer by then, so the wait counts as at least
the timeout, never as the few milliseconds until the reset.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from lab.metrics.declare import Measured, metric
from lab.metrics.window import Window
from lab.record import Operations

if TYPE_CHECKING:
    from lab.metrics.arithmetic import Bools, Floats

Whose = Literal["ok", "refused", "all"]


def chosen(window: Window, operation: str | None) -> Operations:
    """The operations due in the phase, of one kind or of all."""
    operations = window.operations
    if operation is None:
        return operations
    return operations.where(operations.being("operation", operation))


def nothing(window: Window, operation: str | None) -> Measured:
    """Say that no operation was due."""
    return Measured(None, why=f"no {operation or 'operation'} was due in {window.text}")


def _waits_ms(window: Window, operation: str | None, of: Whose, naive: bool = False) -> tuple[Floats, Bools]:
    """Waits of those that `of` names and which of them are exact; the others are at least that long."""
    from lab.metrics.arithmetic import answered, waits_s

    operations = chosen(window, operation)
    if of != "all":
        outcome = "ok" if of == "ok" else "fail"
        operations = operations.where(answered(operations) & operations.being("outcome", outcome))
    since_s = operations.start_s if naive else operations.due_s
    at_least_s, exact = waits_s(operations, window.timeout_s, since_s)
    return at_least_s * 1000, exact


def _none_of(window: Window, operation: str | None, of: Whose) -> Measured:
    """Say that there is no wait to take."""
    if of == "all" or not len(chosen(window, operation)):
        return nothing(window, operation)
    how = "succeeded" if of == "ok" else "was refused"
    return Measured(None, why=f"no {operation or 'operation'} due in {window.text} {how}", n=0)


def _percentile(window: Window, operation: str | None, of: Whose, per_mille: int, naive: bool = False) -> Measured:
    from lab.metrics.arithmetic import nearest_rank

    waits_ms, exact = _waits_ms(window, operation, of, naive)
    n = len(waits_ms)
    if not n:
        return _none_of(window, operation, of)
    needed = -(-1000 // (1000 - per_mille)) if per_mille < 1000 else 1
    if n < needed:  # its rank would be the last: a maximum under another name
        why = f"a p{per_mille / 10:g} takes at least {needed:,} operations; {window.text} has {n}"
        return Measured(None, why=why, n=n)
    return Measured(*nearest_rank(waits_ms, exact, per_mille), n=n)


@metric("ms")
def p50_ms(window: Window, operation: str | None = None, *, of: Whose = "all") -> Measured:
    """The median wait (nearest rank), of one kind of operation or of all."""
    return _percentile(window, operation, of, 500)


@metric("ms")
def p90_ms(window: Window, operation: str | None = None, *, of: Whose = "all") -> Measured:
    """The wait that 90 % of operations did not exceed (nearest rank)."""
    return _percentile(window, operation, of, 900)


@metric("ms")
def p95_ms(window: Window, operation: str | None = None, *, of: Whose = "all") -> Measured:
    """The wait that 95 % of operations did not exceed (nearest rank)."""
    return _percentile(window, operation, of, 950)


@metric("ms")
def p99_ms(window: Window, operation: str | None = None, *, of: Whose = "all") -> Measured:
    """The wait that 99 % of operations did not exceed (nearest rank)."""
    return _percentile(window, operation, of, 990)


@metric("ms")
def p999_ms(window: Window, operation: str | None = None, *, of: Whose = "all") -> Measured:
    """The wait that 99.9 % of operations did not exceed (nearest rank); takes 1,000 operations or more."""
    return _percentile(window, operation, of, 999)


@metric("ms")
def max_ms(window: Window, operation: str | None = None, *, of: Whose = "all") -> Measured:
    """The longest wait."""
    return _percentile(window, operation, of, 1000)


@metric("ms")
def mean_ms(window: Window, operation: str | None = None, *, of: Whose = "all") -> Measured:
    """The mean wait; at least that where an operation was never answered."""
    waits_ms, exact = _waits_ms(window, operation, of)
    if not len(waits_ms):
        return _none_of(window, operation, of)
    return Measured(float(waits_ms.mean()), censored=not exact.all(), n=len(waits_ms))


@metric("ms")
def naive_p99_ms(window: Window, operation: str | None = None, *, of: Whose = "all") -> Measured:
    """The p99 as most load tools report it, from when an operation was sent: to be held against `p99_ms`."""
    return _percentile(window, operation, of, 990, naive=True)
