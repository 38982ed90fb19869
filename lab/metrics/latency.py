"""
Waits, in milliseconds, from raw samples and never from histograms.

A wait runs from the moment an operation was due, not from when it could be sent: a load that waits for a stalled
system would otherwise leave out just the waits that the stall caused (coordinated omission; Tene, "How NOT to
Measure Latency").

Each claim says whose waits it takes, by `of`, which has no default; records of before it mean `"all"`:

- `"ok"`: of operations that succeeded. Exact.
- `"refused"`: of operations answered with a definite failure (outcome `fail`), a refused connection among them. Exact.
- `"all"`: of every operation due in the phase: those two, answers that leave it open whether the operation took effect
  (500, 502, 504), and operations without an answer, each at least the timeout.

Without an answer are a timeout, a connect timeout, a reset, a connection that closed early, a garbled response, and an
operation that never ended. However soon a reset comes, the caller has no answer by then, so the wait counts as at least
the timeout, never as the few milliseconds until the reset.

Window: from the moment an operation was due to its answer; operations due from when the injection of the phase's faults
began, and faults of earlier phases were out, until its faults are removed.
Whose: by `of`: those that succeeded, those that were refused, or all; of one kind of operation or of every kind.
Censored: with `of="all"`, at least the timeout for each operation without an answer, where these reach the result.
Minimum: 20 operations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from lab.metrics.declare import metric
from lab.metrics.measured import ENOUGH, Measured, too_few
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
    return Measured(None, why=f"no {operation or 'operation'} was due in {window.text}", n=0)


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


def _percentile(window: Window, operation: str | None, of: Whose, per_mille: int, naive: bool = False) -> Measured:
    from lab.metrics.arithmetic import nearest_rank

    waits_ms, exact = _waits_ms(window, operation, of, naive)
    needed = -(-1000 // (1000 - per_mille)) if per_mille < 1000 else 1  # its rank is the last: a maximum, by its name
    few = _too_few(window, operation, of, len(waits_ms), max(ENOUGH, needed))
    return few or Measured(*nearest_rank(waits_ms, exact, per_mille), n=len(waits_ms))


def _too_few(window: Window, operation: str | None, of: Whose, n: int, least: int = ENOUGH) -> Measured | None:
    """Why there are too few waits to take, where there are."""
    if not len(chosen(window, operation)):
        return nothing(window, operation)
    what = f"{operation} operations" if operation else "operations"
    how = {"ok": "succeeded of those due", "refused": "were refused of those due", "all": "were due"}[of]
    return too_few(n, f"{what} {how}", window.text, least)


@metric("ms")
def p50_ms(window: Window, operation: str | None = None, *, of: Whose) -> Measured:
    """The median wait (nearest rank)."""
    return _percentile(window, operation, of, 500)


@metric("ms")
def p90_ms(window: Window, operation: str | None = None, *, of: Whose) -> Measured:
    """The wait that 90 % of operations did not exceed (nearest rank)."""
    return _percentile(window, operation, of, 900)


@metric("ms")
def p95_ms(window: Window, operation: str | None = None, *, of: Whose) -> Measured:
    """The wait that 95 % of operations did not exceed (nearest rank)."""
    return _percentile(window, operation, of, 950)


@metric("ms")
def p99_ms(window: Window, operation: str | None = None, *, of: Whose) -> Measured:
    """The wait that 99 % of operations did not exceed (nearest rank).

    Minimum: 100 operations, since of fewer it would be the longest wait under another name.
    """
    return _percentile(window, operation, of, 990)


@metric("ms")
def p999_ms(window: Window, operation: str | None = None, *, of: Whose) -> Measured:
    """The wait that 99.9 % of operations did not exceed (nearest rank).

    Minimum: 1,000 operations, since of fewer it would be the longest wait under another name.
    """
    return _percentile(window, operation, of, 999)


@metric("ms")
def max_ms(window: Window, operation: str | None = None, *, of: Whose) -> Measured:
    """The longest wait."""
    return _percentile(window, operation, of, 1000)


@metric("ms")
def mean_ms(window: Window, operation: str | None = None, *, of: Whose) -> Measured:
    """The mean wait.

    Censored: with `of="all"`, at least that where any operation had no answer.
    """
    waits_ms, exact = _waits_ms(window, operation, of)
    few = _too_few(window, operation, of, len(waits_ms))
    return few or Measured(float(waits_ms.mean()), censored=not exact.all(), n=len(waits_ms))


@metric("ms")
def naive_p99_ms(window: Window, operation: str | None = None, *, of: Whose) -> Measured:
    """The p99 counted from when an operation was sent, not from when it was due: what `p99_ms` is above it is lateness.

    Window: from sending to the answer, of the same operations as `p99_ms`.
    Minimum: 100 operations.
    """
    return _percentile(window, operation, of, 990, naive=True)
