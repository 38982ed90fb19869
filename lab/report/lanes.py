"""Operations as a timeline by client: a bar from invocation to answer, those that break an invariant in colour."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

from lab.metrics.arithmetic import ends_s
from lab.record import Operations
from lab.report.numbers import at, duration

MOST = 48  # operations drawn: those of the anomaly, then those of its keys that are nearest in time
MOST_LANES = 16
MARGIN = 0.04  # of the time shown, on either side
NARROWEST = 0.5  # percent
Kind = Literal["bad", "ok", "fail", "info"]


@dataclass(frozen=True)
class Bar:
    """One operation; `left` and `width` in percent of the time shown, `tip` says all that is known of it."""

    kind: Kind
    left: float
    width: float
    label: str
    tip: str


@dataclass(frozen=True)
class Timeline:
    """Clients with their bars, one below the other, and the time shown.

    The record names no clients: operations that do not overlap share one, as few as it takes.
    """

    clients: Sequence[Sequence[Bar]]
    begin: str
    end: str
    left_out: int


def timeline(ops: Operations, bad: Collection[int], timeout_s: float) -> Timeline | None:
    """The operations `bad`, by number, among those of the same keys around them; None where none of them is there."""
    is_bad = np.isin(ops.n, list(bad))
    if not is_bad.any():
        return None
    ended_s = np.fmax(ends_s(ops, timeout_s), ops.start_s)
    keys = {key for key in np.asarray(ops.key, dtype=object)[is_bad] if key}
    first_s, last_s = float(ops.start_s[is_bad].min()), float(ended_s[is_bad].max())
    related = is_bad | np.fromiter((key in keys for key in ops.key), dtype=bool, count=len(ops))
    around = related & (ended_s >= first_s) & (ops.start_s <= last_s)
    chosen = _nearest(ops, around, is_bad)
    begin_s, end_s = float(ops.start_s[chosen].min()), float(ended_s[chosen].max())
    margin_s = max((end_s - begin_s) * MARGIN, 1e-3)
    begin_s, end_s = begin_s - margin_s, end_s + margin_s
    lanes: list[list[Bar]] = []
    free_s: list[float] = []
    left_out = int(around.sum()) - len(chosen)
    for k in sorted(chosen, key=lambda k: float(ops.start_s[k])):
        start_s, stop_s = float(ops.start_s[k]), float(ended_s[k])
        lane = next((n for n, since_s in enumerate(free_s) if since_s <= start_s), len(free_s))
        if lane == MOST_LANES:
            left_out += 1
            continue
        if lane == len(free_s):
            free_s.append(0.0)
            lanes.append([])
        free_s[lane] = stop_s
        lanes[lane].append(_bar(ops, k, bool(is_bad[k]), stop_s, begin_s, end_s))
    return Timeline(lanes, at(max(begin_s, 0.0)), at(end_s), left_out)


def _nearest(ops: Operations, around: np.ndarray, is_bad: np.ndarray) -> list[int]:
    """Rows to draw: the bad ones first, then those that began nearest to one of them."""
    bad = np.flatnonzero(is_bad & around)[:MOST]
    others = np.flatnonzero(around & ~is_bad)
    away_s = np.abs(ops.start_s[others][:, None] - ops.start_s[bad][None, :]).min(axis=1) if len(others) else others
    return [int(k) for k in (*bad, *others[np.argsort(away_s, kind="stable")][: MOST - len(bad)])]


def _bar(ops: Operations, k: int, bad: bool, stop_s: float, begin_s: float, end_s: float) -> Bar:
    whole_s = end_s - begin_s
    start_s = float(ops.start_s[k])
    outcome = str(ops.outcome[k])
    waited = "no answer" if np.isnan(ops.end_s[k]) else duration(stop_s - start_s)
    parts = [f"{ops.n[k]}: {ops.operation[k]}", str(ops.key[k] or ""), str(ops.value[k] or "")]
    told = [f"from {at(start_s)}, {waited}", f"{outcome} {ops.status[k] or ops.error[k] or ''}".strip()]
    left = round(100 * (start_s - begin_s) / whole_s, 2)
    return Bar(
        "bad" if bad else "ok" if outcome == "ok" else "fail" if outcome == "fail" else "info",
        left,
        round(min(max(100 * (stop_s - start_s) / whole_s, NARROWEST), 100 - left), 2),
        _label(ops, k),
        "; ".join(part for part in (*parts, *told, str(ops.response[k] or "")[:80]) if part),
    )


def _label(ops: Operations, k: int) -> str:
    """What stands in a bar: the operation, where its name is short, and what it wrote or read."""
    operation, said = str(ops.operation[k]), str(ops.value[k] or "")
    if not said:
        try:
            answer = msgspec.json.decode(ops.response[k] or "{}")
        except msgspec.DecodeError:
            answer = {}
        said = str(answer.get("value", "")) if isinstance(answer, dict) else ""
    return f"{operation} {said}".strip()[:24] if "/" not in operation else said[:24]
