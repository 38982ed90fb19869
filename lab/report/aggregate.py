"""Operations and probes to what a chart draws: counts and quantiles a bin, never single operations."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lab.metrics.arithmetic import Bools, Floats, waits_s
from lab.record import Operations, Probe

Ints = NDArray[np.int64]
MAX_BINS = 75
SHORT_S = 20  # a run this short is drawn by half seconds
BINS_A_DECADE = 8
_STEPS_S = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600)


def bin_s(end_s: float) -> float:
    """The width of a time bin: the smallest round one that gives at most MAX_BINS."""
    return next(
        (step for step in _STEPS_S if end_s / step <= MAX_BINS and (step >= 1 or end_s <= SHORT_S)), _STEPS_S[-1]
    )


@dataclass(frozen=True)
class Bin:
    """One stretch of arrivals: how many had which outcome, and how long they waited (ms; inf: never answered)."""

    start_s: float
    end_s: float
    ok: int
    fail: int
    info: int
    p50_ms: float
    p99_ms: float
    p90_ms: float = math.inf

    @property
    def count(self) -> int:
        """Arrivals in the bin."""
        return self.ok + self.fail + self.info


def over_time(ops: Operations, timeout_s: float, end_s: float, width_s: float) -> list[Bin]:
    """Bins of `width_s` over the run by due time; empty ones are left out."""
    everyones = waits_ms(ops, timeout_s)
    index = np.floor(ops.due_s / width_s).astype(int)
    bins = []
    for k in range(math.ceil(end_s / width_s)):
        mask = index == k
        count = int(mask.sum())
        if not count:
            continue
        outcome = ops.outcome[mask]
        ok, fail = int((outcome == "ok").sum()), int((outcome == "fail").sum())
        waits = everyones[mask]
        bins.append(
            Bin(
                k * width_s,
                min((k + 1) * width_s, end_s),
                ok,
                fail,
                count - ok - fail,
                *quantiles(waits, 0.5, 0.99, 0.9),
            )
        )
    return bins


def waits_ms(ops: Operations, timeout_s: float) -> Floats:
    """Waits from due time, infinite for those never answered (as `lab.metrics` tells them)."""
    at_least_s, exact = waits_s(ops, timeout_s, ops.due_s)
    return np.where(exact, at_least_s * 1000, np.inf)


def quantiles(values: Floats, *shares: float) -> tuple[float, ...]:
    """Nearest-rank quantiles: each is a value that was measured (infinite where that one was never answered)."""
    ordered = np.sort(values)
    return tuple(float(ordered[max(0, math.ceil(share * len(ordered)) - 1)]) for share in shares)


@dataclass(frozen=True)
class Cell:
    """One cell of the latency heat map; `low_ms` is inf in the lane of those never answered."""

    start_s: float
    end_s: float
    low_ms: float
    high_ms: float
    count: int


def heat(ops: Operations, timeout_s: float, end_s: float, width_s: float) -> list[Cell]:
    """Counts by time bin and latency bin (logarithmic, BINS_A_DECADE to a decade)."""
    waits = waits_ms(ops, timeout_s)
    answered = np.isfinite(waits)
    cells = []
    for was_answered, k, r, count in _counted(answered, *places(ops, waits, width_s)):
        low, high = (10 ** (r / BINS_A_DECADE), 10 ** ((r + 1) / BINS_A_DECADE)) if was_answered else (np.inf, np.inf)
        cells.append(Cell(k * width_s, min((k + 1) * width_s, end_s), low, high, int(count)))
    return cells


def places(ops: Operations, waits: Floats, width_s: float) -> tuple[Ints, Ints]:
    """Column and row of each operation in a heat map; the row of one that was never answered means nothing."""
    column = np.floor(ops.due_s / width_s).astype(np.int64)
    row = np.zeros(len(waits), dtype=np.int64)
    answered = np.isfinite(waits)
    row[answered] = np.floor(np.log10(np.maximum(waits[answered], 1e-3)) * BINS_A_DECADE).astype(np.int64)
    return column, row


def _counted(answered: Bools, column: Ints, row: Ints) -> Iterator[tuple[int, int, int, int]]:
    """Each combination that occurs, in their order, and how often. As one number each they sort ten times as fast."""
    if not len(answered):
        return
    first_column, first_row = int(column.min()), int(row.min())
    columns, rows = int(column.max()) - first_column + 1, int(row.max()) - first_row + 1
    codes = (answered.astype(np.int64) * columns + (column - first_column)) * rows + (row - first_row)
    for code, count in zip(*np.unique(codes, return_counts=True), strict=True):
        rest, r = divmod(int(code), rows)
        was_answered, k = divmod(rest, columns)
        yield was_answered, k + first_column, r + first_row, int(count)


@dataclass(frozen=True)
class ProbeBin:
    """The canary of one path over one stretch: median latency of the answered, and the unanswered by outcome."""

    path: str
    start_s: float
    end_s: float
    p50_ms: float | None
    answered: int
    unanswered: dict[str, int]


def probe_bins(probes: Sequence[Probe], end_s: float, width_s: float) -> list[ProbeBin]:
    """Probes of both paths in bins of `width_s`."""
    grouped: dict[tuple[str, int], list[Probe]] = {}
    for probe in probes:
        if not 0 <= probe.at_s < end_s:  # the canary starts before the load, and may end after it
            continue
        grouped.setdefault((probe.path, int(probe.at_s // width_s)), []).append(probe)
    bins = []
    for (path, k), group in sorted(grouped.items()):
        latencies = [p.latency_ms for p in group if p.outcome == "answered" and p.latency_ms is not None]
        lost: dict[str, int] = {}
        for probe in group:
            if probe.outcome != "answered":
                lost[probe.outcome] = lost.get(probe.outcome, 0) + 1
        median = float(np.median(latencies)) if latencies else None
        bins.append(ProbeBin(path, k * width_s, min((k + 1) * width_s, end_s), median, len(latencies), lost))
    return bins
