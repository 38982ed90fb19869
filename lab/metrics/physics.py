"""
How long it takes until a fault is noticed, and until a system is healthy again.

A failure here and there is no fault: where a metric must tell the two apart, it asks what chance alone would show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.metrics.declare import metric
from lab.metrics.latency import chosen, nothing
from lab.metrics.measured import ENOUGH, Measured, too_few
from lab.metrics.window import Window
from lab.metrics.window import window as open_window
from lab.record import Operations

if TYPE_CHECKING:
    from lab.metrics.arithmetic import Bools

STEADY_S = 3.0  # healthy for less than this is a pause between failures, not a recovery
FAILING = 0.01  # a healthy system fails at most one operation in a hundred,
UNHEALTHY = 0.10  # and one that fails more than this before any fault has no health to come back to
WINDOW_CHANCE = 1e-4  # a window is bad if a healthy system shows one as bad once in 10,000: a phase has some hundreds
REST_CHANCE = 0.01
FEWEST_GAPS = 3  # of two there is no middle


@metric("s")
def detect_s(window: Window) -> Measured:
    """From the first fault of a phase to the first failure that a caller sees because of it.

    Because of it: this failure and the 19 operations that end next hold more failures than chance would show in one of
    10,000 cases, were operations to fail as often as before the fault (or once in a hundred, if that is more). A single
    failure of the usual kind detects nothing.

    Window: from when the injection of the phase's first fault began (from when it was read back, in records that do not
    tell) to the end of that operation.
    Whose: every operation that ends in that time and was sent before the phase's end; those without an answer end when
    their callers give up.
    Censored: where no such failure comes, at least the rest of the phase.
    Minimum: 20 operations ended before the fault, else once in a hundred is the usual.
    """
    from lab.metrics.arithmetic import ends_s, first_run

    if not window.receipts:
        return Measured(None, why=f"no fault was injected in {window.text}")
    receipt = window.receipts[0]
    began_s = receipt.injected_s if receipt.began_s is None else receipt.began_s
    if began_s >= window.phase.end_s:
        late_s = began_s - window.phase.end_s
        return Measured(None, why=f"the fault was injected {late_s:.2f} s after the end of {window.text}")
    operations = window.all_operations
    end_s = ends_s(operations, window.timeout_s)
    before = end_s < began_s
    usual = float((~operations.ok[before]).mean()) if before.sum() >= ENOUGH else 0.0
    if usual > UNHEALTHY:
        return Measured(
            None, why=f"{usual:.0%} of the operations failed before the fault: its failures do not stand out"
        )
    # Those sent before the fault and still in flight may be its first victims; those sent after it tell nothing.
    seen = (end_s >= began_s) & (operations.start_s < window.phase.end_s)
    order = end_s[seen].argsort(kind="stable")
    found = first_run(~operations.ok[seen][order], max(FAILING, usual), WINDOW_CHANCE)
    n = int(seen.sum())
    if found is None:
        return Measured(window.phase.end_s - began_s, censored=True, why="no caller saw the fault", n=n)
    return Measured(float(end_s[seen][order][found] - began_s), n=n)


@metric("s")
def recovery_s(window: Window, operation: str | None = None, *, within_s: float = 1.0) -> Measured:
    """From the start of a phase until its operations succeed, within `within_s` seconds of being due, for good.

    For good: no window from then until the end of the phase, at least 3 s of it, fails more often than chance would
    show in one of 10,000 windows, and all of it together not more often than in one of 100 cases, of a system that
    fails once in a hundred (or as often as the baseline of the same variant, if that is more). A window is 20
    operations that follow each other, or the second that begins at an operation, where that has more. It lasts until
    the last failure of the last bad window; 0 where no window is bad.

    Window: from the phase's start, or from when the last fault of an earlier phase was out, to the phase's end.
    Whose: operations due in that time, of one kind or of all; an answer later than `within_s` is a failure.
    Censored: a last failure in the last 3 s gives at least the start of the last bad window; too many failures in what
    follows the last bad window, at least the end of that.
    Minimum: 20 operations, a phase of 3 s, an operation due in the last 3 s, and a baseline (the first phase, where it
    has no fault) in which at most a tenth fail.
    """
    from lab.metrics.arithmetic import bad_windows, beyond_chance

    operations, start_s, end_s = chosen(window, operation), window.from_s, window.phase.end_s
    if not len(operations):
        return nothing(window, operation)
    if end_s - start_s < STEADY_S:
        return Measured(
            None, why=f"{window.text} lasts {end_s - start_s:.1f} s; a recovery takes {STEADY_S:g} s to show"
        )
    if not (operations.due_s >= end_s - STEADY_S).any():
        return Measured(None, why=f"nothing was due in the last {STEADY_S:g} s of {window.text}")
    few = too_few(len(operations), "operations were due", window.text)
    if few:
        return few
    share = _usual_failing(window, operation, within_s)
    if share > UNHEALTHY:
        return Measured(
            None, why=f"{share:.0%} fail in the baseline of {window.variant}: there is no health to recover"
        )
    failed, n = _failed(operations, within_s), len(operations)
    bad = bad_windows(operations.due_s, failed, end_s, share, WINDOW_CHANCE)
    healthy_s, rest = start_s, failed
    if len(bad):
        last = int(failed[: bad[:, 1].max()].nonzero()[0][-1])
        healthy_s, rest = float(operations.due_s[last]), failed[last + 1 :]
        if healthy_s > end_s - STEADY_S:
            at_least_s = float(operations.due_s[bad[:, 0].max()]) - start_s
            return Measured(at_least_s, True, f"did not recover within the {end_s - start_s:.1f} s", n)
    if len(rest) and int(rest.sum()) >= beyond_chance(len(rest), share, REST_CHANCE):
        why = f"{rest.sum():,} of the {len(rest):,} operations after that still fail"
        return Measured(healthy_s - start_s, True, why, n)
    return Measured(healthy_s - start_s, n=n)


def _failed(operations: Operations, within_s: float) -> Bools:
    """Which did not succeed within so many seconds of being due."""
    in_time: Bools = operations.ok & (operations.end_s - operations.due_s <= within_s)
    return ~in_time


def _usual_failing(window: Window, operation: str | None, within_s: float) -> float:
    """The share that fails in the baseline of the same variant, and one in a hundred at least."""
    baseline = window.baseline
    if baseline is None:
        return FAILING
    operations = chosen(baseline, operation)
    return max(FAILING, float(_failed(operations, within_s).mean())) if len(operations) >= ENOUGH else FAILING


@metric("s")
def longest_gap_s(window: Window, operation: str | None = None) -> Measured:
    """The longest time without a success that touches a phase, counted whole.

    Window: each gap runs from one success to the next, whether they fall into the phase or not; both ends by the same
    rule. Where no success came before, it runs from the first attempt of the load; where none comes after, until the
    last attempt was over, answered or given up.
    Whose: operations of one kind or of all, by when they ended.
    Censored: at least that long where the longest one had no success at one of its ends.
    Minimum: 20 attempts due in the phase.
    """
    return _gap(window, operation)


@metric("s")
def median_gap_s(window: Window, operation: str | None = None, *, over: str) -> Measured:
    """The median of the longest gaps (`longest_gap_s`) of several phases: `over="kill-1, kill-2, kill-3"`.

    A single gap that is mostly chance, as an election's is, tells two systems apart badly; the median of several does.
    By nearest rank, so that of seven gaps it is the fourth. A gap that reaches over the edge of two phases counts in
    the one that has half of it, and in any that it fills by half: else the end of one would count the next one's too.

    Window: the phases named in `over`, for a claim that stands in one of them; in any other, such as the one before the
    fault, that phase's own gap.
    Whose: operations of one kind or of all, by when they ended.
    Censored: where gaps that are only known to be "at least" could move it.
    Minimum: 20 attempts due in each of these phases, and three phases.
    """
    import numpy as np

    from lab.metrics.arithmetic import nearest_rank

    names = [name.strip() for name in over.split(",") if name.strip()]
    few = too_few(len(names), "phases are named", window.text, least=FEWEST_GAPS)
    if few:
        return few
    if window.phase.name not in names:
        return _gap(window, operation, own=True)
    gaps = [_gap(open_window(window.run, window.variant, name, window.trial), operation, own=True) for name in names]
    for gap in gaps:
        if gap.value is None:
            return gap
    known = np.array([not gap.censored for gap in gaps])
    median_s, censored = nearest_rank(np.array([gap.value for gap in gaps], dtype=float), known, 500)
    return Measured(median_s, censored=censored, n=len(gaps))


def _gap(window: Window, operation: str | None, own: bool = False) -> Measured:
    if window.missing:
        return Measured(None, why=window.missing)
    from lab.metrics.arithmetic import ends_s
    from lab.metrics.arithmetic import longest_gap_s as longest

    tried = (
        window.of_phase if operation is None else window.of_phase.where(window.of_phase.being("operation", operation))
    )
    if not len(tried):
        return nothing(window, operation)
    few = too_few(len(tried), f"attempts at {operation or 'an operation'}", window.text)
    if few:
        return few
    operations = window.all_operations
    if operation is not None:
        operations = operations.where(operations.being("operation", operation))
    last_s = float(ends_s(operations, window.timeout_s).max())
    first_s, start_s, end_s = float(operations.due_s[0]), window.phase.start_s, window.phase.end_s
    gap_s, is_open = longest(operations.end_s[operations.ok], first_s, last_s, start_s, end_s, own=own)
    return Measured(gap_s, censored=is_open, n=len(tried))
