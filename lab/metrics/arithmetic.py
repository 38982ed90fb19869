"""
The arithmetic below the metrics, on plain arrays.

Metrics import it when they measure: to declare them, as every scenario does, takes no numpy, which is slow to import.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lab.record import Operations

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

WINDOW_S = 1.0  # arrivals are looked at a second at a time,
WINDOW_ARRIVALS = 20  # and so many at a time: a short burst of failures is thin in a second, and a second may have few
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

    Nearest rank and not interpolation: the result is a wait that a caller had, and nothing is invented between a
    known wait and one known only to be "at least". Samples where `known` is False are lower bounds. The result is
    censored where those could move it: where it is lower than with every one of them at infinity. Takes one sample
    or more.
    """
    rank = -(-per_mille * len(at_least) // 1000)  # whole numbers: 0.07 * 100 is 7.000000000000001
    value = np.partition(at_least, rank - 1)[rank - 1]
    highest = np.partition(np.where(known, at_least, np.inf), rank - 1)[rank - 1]
    return float(value), bool(highest > value)


@lru_cache(maxsize=65536)
def beyond_chance(n: int, share: float, chance: float) -> int:
    """The smallest number of failures among `n` operations that a system which fails a `share` of them, each by itself,
    reaches with a probability below `chance`; n + 1 where none is. Exact: the upper tail of the binomial distribution.
    """
    if not 0 < share < 1:
        return 1 if share <= 0 else n + 1
    log_yes, log_no, all_ways = math.log(share), math.log1p(-share), math.lgamma(n + 1)
    top = min(n, int(n * share + 12 * math.sqrt(n * share) + 40))  # what lies above has no weight
    tail = 0.0
    for k in range(top, -1, -1):
        ways = all_ways - math.lgamma(k + 1) - math.lgamma(n - k + 1)
        tail += math.exp(ways + k * log_yes + (n - k) * log_no)
        if tail >= chance:
            return k + 1
    return 0


def bad_windows(at_s: Floats, failed: Bools, end_s: float, share: float, chance: float) -> NDArray[np.int64]:
    """The windows that fail more often than chance explains (`beyond_chance`): rows of the first operation, and of the
    one after the last.

    `at_s` is sorted. A window begins at an operation and holds 20 of them, or those of the next second where these are
    more; only whole ones count, the last of which end with the last operation and at `end_s`.
    """
    count = len(at_s)
    some = np.arange(max(0, count - WINDOW_ARRIVALS + 1))
    second = np.flatnonzero(at_s + WINDOW_S <= end_s + ROUNDING_S)
    over = np.searchsorted(at_s, at_s[second] + WINDOW_S - ROUNDING_S)
    longer = over > second + WINDOW_ARRIVALS
    first = np.concatenate([some, second[longer]])
    after = np.concatenate([some + WINDOW_ARRIVALS, over[longer]])
    failures = np.concatenate([[0], np.cumsum(failed)])
    limits = {int(n): beyond_chance(int(n), share, chance) for n in np.unique(after - first)}
    allowed = np.array([limits[int(n)] for n in after - first], dtype=np.int64)
    bad = failures[after] - failures[first] >= allowed
    return np.stack([first[bad], after[bad]], axis=1).astype(np.int64)


def first_run(failed: Bools, share: float, chance: float) -> int | None:
    """The first failure with which more than chance begins: it and the 19 operations after it, or as many as there are,
    fail more often than `beyond_chance` explains. None where there is none.
    """
    failures = np.concatenate([[0], np.cumsum(failed)])
    for k in np.flatnonzero(failed):
        after = min(int(k) + WINDOW_ARRIVALS, len(failed))
        if failures[after] - failures[k] >= beyond_chance(after - int(k), share, chance):
            return int(k)
    return None


def most_at_once(start_s: Floats, end_s: Floats, from_s: float, to_s: float) -> int:
    """The largest number of intervals [start, end) that overlap at one moment of [from, to)."""
    start, end = np.maximum(start_s, from_s), np.minimum(end_s, to_s)
    inside = start < end
    start, end = np.sort(start[inside]), np.sort(end[inside])
    # At each start: those begun so far, less those ended by then; the count is never higher in between.
    begun = np.arange(1, len(start) + 1)
    ended = np.searchsorted(end, start, side="right")
    return int((begun - ended).max(initial=0))


def longest_gap_s(
    success_s: Floats, first_s: float, last_s: float, from_s: float, to_s: float, *, own: bool = False
) -> tuple[float, bool]:
    """The longest pause between successes that overlaps [from, to), whole, and whether it is only "at least".

    Before the first success a pause is known since `first_s`, the first attempt; after the last one, until `last_s`,
    when the last attempt was over: either may have been longer.

    With `own` only of pauses that are this stretch's own: half of the pause lies in it, or the pause takes half of it.
    """
    inside = np.sort(success_s)
    edges = np.concatenate([[min(first_s, inside[0]) if len(inside) else first_s], inside])
    edges = np.concatenate([edges, [max(last_s, edges[-1])]])
    begins, ends = edges[:-1], edges[1:]
    here = (begins < to_s) & (ends > from_s)
    if own:
        inside_s = np.minimum(ends, to_s) - np.maximum(begins, from_s)
        here &= (2 * inside_s >= ends - begins) | (2 * inside_s >= to_s - from_s)
    if not here.any():  # the load had ended before, or had not begun
        return 0.0, False
    pauses = np.where(here, ends - begins, -1.0)
    longest = float(pauses.max())
    is_open = np.zeros(len(pauses), dtype=bool)
    is_open[[0, -1]] = True
    return longest, bool(is_open[pauses == longest].any()) and longest > 0
