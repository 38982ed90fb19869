"""How long it takes until a fault is noticed, and until a system is well again."""

from __future__ import annotations

from lab.metrics.declare import Measured, metric
from lab.metrics.latency import chosen, nothing
from lab.metrics.window import Window

STEADY_S = 3.0  # well for less than this is a pause between failures, not a recovery


@metric("s")
def detect_s(window: Window) -> Measured:
    """From the first fault of the phase to the first answer that was no success, as a caller saw it.

    A caller who is never answered sees it when giving up. Where nobody saw anything, at least the rest of the phase.
    """
    from lab.metrics.arithmetic import ends_s

    if not window.receipts:
        return Measured(None, why=f"no fault was injected in {window.text}")
    injected_s = window.receipts[0].injected_s
    operations = window.all_operations
    end_s = ends_s(operations, window.timeout_s)
    # Those sent before the fault and still in flight may be its first victims; those sent after it tell nothing.
    seen = ~operations.ok & (end_s >= injected_s) & (operations.start_s < window.phase.end_s)
    if not seen.any():
        return Measured(window.phase.end_s - injected_s, censored=True, why="no caller saw the fault")
    return Measured(float(end_s[seen].min() - injected_s))


@metric("s")
def recovery_s(window: Window, operation: str | None = None) -> Measured:
    """From the start of the phase until it is well for good.

    Well: every 1 s window of arrivals from then until the end of the phase, at least 3 s of it, has 99 % success or
    more. 0 where it was never unwell; at least the whole phase where it did not recover within it.
    """
    from lab.metrics.arithmetic import last_bad_window_s

    operations, phase = chosen(window, operation), window.phase
    if not len(operations):
        return nothing(window, operation)
    if window.lasts_s < STEADY_S:
        return Measured(
            None, why=f"{window.text} lasts {window.lasts_s:.1f} s; a recovery takes {STEADY_S:g} s to show"
        )
    if not (operations.due_s >= phase.end_s - STEADY_S).any():
        return Measured(None, why=f"nothing was due in the last {STEADY_S:g} s of {window.text}")
    last_bad_s = last_bad_window_s(operations.due_s, operations.ok, phase.start_s, phase.end_s)
    if last_bad_s is None:
        return Measured(0.0)
    if last_bad_s > phase.end_s - STEADY_S:
        return Measured(window.lasts_s, censored=True, why=f"did not recover within the {window.lasts_s:.1f} s")
    return Measured(last_bad_s - phase.start_s)


@metric("s")
def longest_gap_s(window: Window, operation: str | None = None) -> Measured:
    """The longest time without a success that began in the phase, or was under way when it began.

    From the phase's start, or a success in it, to the next success, though that may come after the phase. Where none
    comes any more, until the phase's end, and at least that where it is the longest.
    """
    from lab.metrics.arithmetic import gaps_s

    operations, phase = window.all_operations, window.phase
    if operation is not None:
        operations = operations.where(operations.being("operation", operation))
    if not len(operations):
        return nothing(window, operation)
    gaps, ended = gaps_s(operations.end_s[operations.ok], phase.start_s, phase.end_s)
    return Measured(float(gaps.max()), censored=not ended and bool(gaps[-1] == gaps.max()))
