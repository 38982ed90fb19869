"""The load as it stands, for the live progress: counts so far, the rate reached, the latencies of the last seconds."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from lab.load.forms import Beat, Row

_RATE_OVER_S = 1.0
_LATENCIES_OVER_S = 5.0


@dataclass
class OfPhase:
    """The operations that are due in one phase, as the report counts them: whenever they end.

    `due` are those due so far, None in the closed model; `waits_ms` of those that are over, infinite without an answer.
    """

    due: int | None = None
    ok: int = 0
    fail: int = 0
    info: int = 0
    waits_ms: list[float] = field(default_factory=list)

    @property
    def waiting(self) -> int:
        """How many of those due are not over."""
        return 0 if self.due is None else max(0, self.due - self.ok - self.fail - self.info)


@dataclass(frozen=True)
class Sample:
    """The load at `at_s` seconds after it began.

    `asked`, `started` and `finished` count operations so far (a closed model asks for what it starts). `per_s` is the
    rate of starts over the last second, `asked_per_s` what was due in it. The quantiles are of operations that ended
    in the last five seconds, from when they were due; None where there were none.
    """

    at_s: float
    asked: int
    started: int
    finished: int
    ok: int
    fail: int
    info: int
    asked_per_s: float
    per_s: float
    p50_ms: float | None
    p99_ms: float | None
    phases: Mapping[str, OfPhase] = field(default_factory=dict, hash=False)

    @property
    def in_flight(self) -> int:
        """Operations that have begun and not ended."""
        return self.started - self.finished


class Tally:
    """Adds up beats and rows as they come. `due_s` is the schedule in order of time; None in the closed model.

    `ends` are the phases with their ends, in seconds since the load began.
    """

    def __init__(self, due_s: Sequence[float] | None, ends: Sequence[tuple[str, float]] = ()) -> None:
        self._due_s = due_s
        self._ends_s = [end_s for _, end_s in ends]
        self._phases = {name: OfPhase() for name, _ in ends}
        self._names = list(self._phases)
        self.newest: dict[int, Beat] = {}  # by worker
        self._beats: deque[Beat] = deque()  # of all workers together
        self._recent: deque[tuple[float, float]] = deque()
        self._outcomes: Counter[str] = Counter()

    def add(self, beats: Iterable[Beat], rows: Iterable[Row]) -> None:
        """Take in what has been written since the last time."""
        for each in beats:
            self.newest[each.worker] = each
            beat = together(self.newest.values())
            self._beats.append(beat)
            while len(self._beats) > 2 and self._beats[1].at_s <= beat.at_s - _RATE_OVER_S:
                self._beats.popleft()
        for row in rows:
            self._outcomes[row.outcome] += 1
            self._count(row)
            if row.end_s is not None:
                self._recent.append((row.end_s, (row.end_s - row.due_s) * 1000))
        while self._recent and self._beats and self._recent[0][0] < self._beats[-1].at_s - _LATENCIES_OVER_S:
            self._recent.popleft()

    @property
    def latest(self) -> Beat | None:
        """The newest beat, of all workers together."""
        return self._beats[-1] if self._beats else None

    def sample(self) -> Sample | None:
        """The newest state; None before the first beat."""
        if not self._beats:
            return None
        first, last = self._beats[0], self._beats[-1]
        latencies = sorted(latency for _, latency in self._recent)
        return Sample(
            at_s=last.at_s,
            asked=self._asked(last),
            started=last.started,
            finished=last.finished,
            ok=self._outcomes["ok"],
            fail=self._outcomes["fail"],
            info=self._outcomes["info"],
            asked_per_s=self._per_s(self._asked(last) - self._asked(first), first, last),
            per_s=self._per_s(last.started - first.started, first, last),
            p50_ms=quantile(latencies, 0.5),
            p99_ms=quantile(latencies, 0.99),
            phases=self._phases_by(last.at_s),
        )

    def _count(self, row: Row) -> None:
        """Into the phase that it was due in."""
        if (k := bisect_right(self._ends_s, row.due_s)) < len(self._names):
            mine = self._phases[self._names[k]]
            mine.ok, mine.fail = mine.ok + (row.outcome == "ok"), mine.fail + (row.outcome == "fail")
            mine.info += row.outcome == "info"
            mine.waits_ms.append(math.inf if row.end_s is None else (row.end_s - row.due_s) * 1000)

    def _phases_by(self, at_s: float) -> Mapping[str, OfPhase]:
        if self._due_s is not None:
            before = 0
            for name, end_s in zip(self._names, self._ends_s, strict=True):
                by_now = bisect_left(self._due_s, min(end_s, at_s))
                self._phases[name].due, before = by_now - before, by_now
        return self._phases

    def _asked(self, beat: Beat) -> int:
        return beat.started if self._due_s is None else bisect_right(self._due_s, beat.at_s)

    @staticmethod
    def _per_s(more: int, first: Beat, last: Beat) -> float:
        # The first beat of all stands for itself: from the beginning of the load.
        since_s = last.at_s - first.at_s
        if since_s > 0:
            return more / since_s
        return last.started / last.at_s if last.at_s > 0 else 0.0


def together(beats: Collection[Beat]) -> Beat:
    """The newest beats of all workers as one: a worker that is silent counts with what it had done by its last."""
    return Beat(
        at_s=max(beat.at_s for beat in beats),
        started=sum(beat.started for beat in beats),
        finished=sum(beat.finished for beat in beats),
        cpu_s=sum(beat.cpu_s for beat in beats),
        dry_s=sum(beat.dry_s for beat in beats),
    )


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` of all do not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None
