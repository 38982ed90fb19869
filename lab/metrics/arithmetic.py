"""
The arithmetic below the metrics, on plain arrays.

Metrics import it when they measure: to declare them, as every scenario does, takes no numpy, which is slow to import.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lab.record import Operations

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

WINDOW_S = 1.0  # arrivals are looked at a second at a time
SUCCESS_NEEDED = 0.99
ROUNDING_S = 1e-6  # 0.14 + 1 is more than 1.14: edges stand this much earlier, so that rounding moves no arrival over


def answered(operations: Operations) -> Bools:
    """Which got an answer: a whole response, or a connection refused at once. A timeout, a reset, a connection that
    closed early and a garbled response are none.
    """
    no_answer = operations.being("error", "timeout") | operations.being("error", "connect timeout")
    responded = operations.ok | (operations.status > 0) | operations.being("outcome", "fail")
    ended: Bools = ~np.isnan(operations.end_s)
    return ended & responded & ~no_answer


def ends_s(operations: Operations, timeout_s: float) -> Floats:
    """When each was over for its caller: at its recorded end, else one timeout after it was sent."""
    return np.where(np.isnan(operations.end_s), _sent_s(operations) + timeout_s, operations.end_s)


def waits_s(operations: Operations, timeout_s: float, since_s: Floats) -> tuple[Floats, Bools]:
    """How long each waited for its answer from `since_s` on, and which waits are exact.

    Without an answer, at least until one timeout after it was sent, however soon a reset told its caller.
    """
    exact = answered(operations)
    gave_up_s = np.fmax(operations.end_s, _sent_s(operations) + timeout_s)  # fmax: where there is no end, the other
    return np.where(exact, operations.end_s, gave_up_s) - since_s, exact


def _sent_s(operations: Operations) -> Floats:
    return np.where(np.isnan(operations.start_s), operations.due_s, operations.start_s)


def nearest_rank(at_least: Floats, known: Bools, per_mille: int) -> tuple[float, bool]:
    """The smallest sample that at least `per_mille` thousandths of all samples do not exceed, and whether censored.

    Nearest rank and not interpolation: the result is a wait that somebody had, and nothing is invented between a
    known wait and one known only to be "at least". Samples where `known` is False are lower bounds. The result is
    censored where those could move it: where it is lower than with every one of them at infinity. Takes one sample
    or more.
    """
    rank = -(-per_mille * len(at_least) // 1000)  # whole numbers: 0.07 * 100 is 7.000000000000001
    value = np.partition(at_least, rank - 1)[rank - 1]
    highest = np.partition(np.where(known, at_least, np.inf), rank - 1)[rank - 1]
    return float(value), bool(highest > value)


def last_bad_window_s(due_s: Floats, ok: Bools, start_s: float, end_s: float) -> float | None:
    """Start of the last 1 s window of arrivals, [t, t + 1) within [start, end], with less than 99 % success, or None.

    `due_s` is sorted. Windows slide without steps: what a window holds changes only where its start passes an
    arrival or its end reaches one, so looking at those moments, and at the last window, looks at all of them.
    Windows without arrivals show nothing and are not bad.
    """
    latest = end_s - WINDOW_S
    moments = np.concatenate([due_s, due_s - WINDOW_S, [start_s, latest]])
    moments = moments[(moments >= start_s) & (moments <= latest)]
    good = np.concatenate([[0], np.cumsum(ok)])
    first = np.searchsorted(due_s, moments - ROUNDING_S)
    after = np.searchsorted(due_s, moments + WINDOW_S - ROUNDING_S)
    bad = moments[good[after] - good[first] < SUCCESS_NEEDED * (after - first)]
    return float(bad.max()) if len(bad) else None


def most_at_once(start_s: Floats, end_s: Floats, from_s: float, to_s: float) -> int:
    """The largest number of intervals [start, end) that overlap at one moment of [from, to)."""
    start, end = np.maximum(start_s, from_s), np.minimum(end_s, to_s)
    inside = start < end
    start, end = np.sort(start[inside]), np.sort(end[inside])
    # At each start: those begun so far, less those ended by then; the count is never higher in between.
    begun = np.arange(1, len(start) + 1)
    ended = np.searchsorted(end, start, side="right")
    return int((begun - ended).max(initial=0))


def gaps_s(at_s: Floats, from_s: float, to_s: float) -> tuple[Floats, bool]:
    """The pauses between events that begin at `from_s`, or at an event before `to_s`, and whether the last one ended.

    A pause that no event ends is counted up to `to_s`.
    """
    after = np.sort(at_s[at_s >= from_s])
    begins = np.concatenate([[from_s], after[after < to_s]])
    ended = len(after) >= len(begins)
    ends = after[: len(begins)] if ended else np.concatenate([after, [to_s]])
    return ends - begins, ended
