"""What readers of single keys got to see."""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import accumulate

from lab.metrics.declare import Measured, metric
from lab.metrics.window import Window
from lab.record import Operations

Span = tuple[float, float]  # seconds, from start to end


@metric("")
def stale_reads(
    window: Window, read: str = "read", write: str = "write", cas: str = "cas", at: str = "value"
) -> Measured:
    """Reads due in the phase that returned a value which was surely overwritten before they began.

    Surely: by a write that began after the value's own write had ended, and that had itself ended. Operations are told
    by the first word of their names, as by the checker `linearizable`; a value that was written twice, or by a write
    that nobody answered, tells nothing. `at` is the member of a read's JSON answer that holds the value.
    """
    everything = window.all_operations
    written: dict[str, dict[str | None, Span]] = {}
    for key, value, span in _written(everything, write, cas):
        of_key = written.setdefault(key, {None: (-math.inf, -math.inf)})
        of_key[value] = (math.nan, math.nan) if value in of_key else span
    latest = {key: _Latest(of_key.values()) for key, of_key in written.items()}
    count = reads = 0
    for k in range(len(everything)):
        key, response = everything.key[k], everything.response[k]
        mine = everything.phase[k] == window.phase.name and everything.outcome[k] == "ok"
        if not mine or key not in written or response is None or _word(everything, k) != read.lower():
            continue
        reads += 1
        _, ended_s = written[key].get(json.loads(response).get(at), (math.nan, math.nan))
        count += latest[key].start_before(float(everything.start_s[k])) > ended_s  # False where that is not known
    if not reads:
        return Measured(None, why=f'no "{read}" of a key that was written was answered in {window.text}')
    return Measured(float(count))


def _word(operations: Operations, k: int) -> str:
    return str(operations.operation[k]).partition(" ")[0].lower()


def _written(operations: Operations, write: str, cas: str) -> Iterator[tuple[str, str, Span]]:
    """Key, value and time of each change that is known to have happened."""
    for k in range(len(operations)):
        key, value, word = operations.key[k], operations.value[k], _word(operations, k)
        if key is None or value is None or operations.outcome[k] == "fail" or word not in (write.lower(), cas.lower()):
            continue
        if word == cas.lower():
            if operations.outcome[k] == "ok" and json.loads(operations.response[k] or "{}").get("swapped") is not True:
                continue
            value = str(json.loads(value)[1])
        # What nobody answered may happen at any time: its end never comes, so that nothing follows from it.
        end_s = float(operations.end_s[k]) if operations.outcome[k] == "ok" else math.inf
        yield str(key), str(value), (float(operations.start_s[k]), end_s)


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
