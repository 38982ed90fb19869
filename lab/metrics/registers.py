"""What readers of single keys got to see."""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import NamedTuple

from lab.metrics.declare import metric
from lab.metrics.measured import Measured, too_few
from lab.metrics.window import Window
from lab.record import Operations
from lab.record.values import text_of

Span = tuple[float, float]  # seconds, from start to end


class _Words(NamedTuple):
    """What the operations are called, in lower case."""

    read: str
    write: str
    cas: str


class _Unreadable(Exception):
    """An operation that cannot be read: which, and what it holds."""


@metric("")
def stale_reads(
    window: Window, read: str = "read", write: str = "write", cas: str = "cas", at: str = "value"
) -> Measured:
    """Reads due in the phase that returned a value which was surely overwritten before they began.

    Surely: by a write that began after the value's own write had ended, and that had itself ended. Operations are told
    by the first word of their names, as by the checker `linearizable`; a value that was written twice, or by a write
    that was never acknowledged, tells nothing. `at` is the member of a read's JSON answer that holds the value. Values
    are compared as `lab.record.values` says.

    Window: reads due in the phase as planned, against the writes of the whole run.
    Whose: acknowledged reads of keys that were written.
    Censored: never.
    Minimum: 20 such reads, each readable.
    """
    try:
        count, reads = _stale(window, _Words(read.lower(), write.lower(), cas.lower()), at)
    except _Unreadable as wrong:
        return Measured(None, why=str(wrong))
    few = too_few(reads, f'acknowledged "{read}" operations on keys that were written were due', window.text)
    return few or Measured(float(count), n=reads)


def _stale(window: Window, words: _Words, at: str) -> tuple[int, int]:
    """Stale reads, and all reads of keys that were written. Raises _Unreadable."""
    everything = window.all_operations
    written: dict[str, dict[str | None, Span]] = {}
    for key, value, span in _written(everything, words):
        of_key = written.setdefault(key, {None: (-math.inf, -math.inf)})
        of_key[value] = (math.nan, math.nan) if value in of_key else span
    latest = {key: _Latest(of_key.values()) for key, of_key in written.items()}
    count = reads = 0
    for k in range(len(everything)):
        key = everything.key[k]
        mine = everything.phase[k] == window.phase.name and everything.outcome[k] == "ok"
        if not mine or key not in written or _word(everything, k) != words.read:
            continue
        reads += 1
        _, ended_s = written[key].get(text_of(_member(everything, k, at)), (math.nan, math.nan))
        count += latest[key].start_before(float(everything.start_s[k])) > ended_s  # False where that is not known
    return count, reads


def _word(operations: Operations, k: int) -> str:
    return str(operations.operation[k]).partition(" ")[0].lower()


def _member(operations: Operations, k: int, name: str) -> object:
    """What an answer, a JSON object, holds under `name`. Raises _Unreadable."""
    response = operations.response[k]
    try:
        return json.loads(response)[name]
    except (TypeError, ValueError, KeyError, IndexError, RecursionError):
        shown = "was not kept" if response is None else f"is {response[:80]!r}"
        raise _Unreadable(
            f'the answer of operation {operations.n[k]} {shown}, which is no JSON object with "{name}"'
        ) from None


def _written(operations: Operations, words: _Words) -> Iterator[tuple[str, str, Span]]:
    """Key, value and time of each change that is known to have happened. Raises _Unreadable."""
    for k in range(len(operations)):
        key, value, word = operations.key[k], operations.value[k], _word(operations, k)
        if key is None or value is None or operations.outcome[k] == "fail" or word not in (words.write, words.cas):
            continue
        if word == words.cas:
            if operations.outcome[k] == "ok" and text_of(_member(operations, k, "swapped")) != "1":
                continue
            value = _second(operations, k)
        # What was never acknowledged may happen at any time: its end never comes, so that nothing follows from it.
        end_s = float(operations.end_s[k]) if operations.outcome[k] == "ok" else math.inf
        yield str(key), text_of(value) or "", (float(operations.start_s[k]), end_s)


def _second(operations: Operations, k: int) -> object:
    """The new value of a compare-and-set, whose `value` is `["expected", "new"]`. Raises _Unreadable."""
    try:
        _, new = json.loads(operations.value[k])
    except (TypeError, ValueError, RecursionError):
        shown = repr(str(operations.value[k])[:80])
        raise _Unreadable(f'operation {operations.n[k]} swaps {shown}, which is no JSON ["expected", "new"]') from None
    return new


class _Latest:
    """Of writes, given by start and end: the latest start among those that had ended by some moment."""

    def __init__(self, spans: Iterable[Span]) -> None:
        ended = sorted((end_s, start_s) for start_s, end_s in spans if math.isfinite(end_s))
        self._ends = [end_s for end_s, _ in ended]
        self._starts = list(accumulate((start_s for _, start_s in ended), max))

    def start_before(self, at_s: float) -> float:
        """Seconds; minus infinity where none had ended."""
        at = bisect_left(self._ends, at_s)
        return self._starts[at - 1] if at else -math.inf
