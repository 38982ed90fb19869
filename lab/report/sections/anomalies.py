"""Anomalies that the checkers found, with the operations that show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lab.record import Anomaly, InvariantResult
from lab.report.lanes import Timeline, timeline
from lab.report.numbers import at, duration
from lab.report.view import View

TITLE = "Anomalies"
MAX_OPERATIONS = 12
SHOWN = 3  # the rest is folded away: what the first ones do not tell, the twentieth will not either


@dataclass(frozen=True)
class OperationRow:
    """An operation as a reader needs it to follow an anomaly."""

    n: int
    due: str
    waited: str
    operation: str
    outcome: str
    status: str
    key: str
    value: str
    response: str


@dataclass(frozen=True)
class Found:
    """One anomaly with its operations, and how many more of those there are; `timeline` is None where it names none."""

    anomaly: Anomaly
    operations: Sequence[OperationRow]
    left_out: int
    timeline: Timeline | None


@dataclass(frozen=True)
class Broken:
    """An invariant with anomalies in one variant; `more` are behind a fold."""

    result: InvariantResult
    expected: bool
    shown: Sequence[Found]
    more: Sequence[Found]


@dataclass(frozen=True)
class Data:
    """Every invariant that has something to show: its text, and the variants that broke it."""

    broken: Mapping[str, Sequence[Broken]]
    trials: int


def build(view: View) -> Data | None:
    """None where no checker found anything."""
    results = view.judgement.invariants if view.judgement else []
    broken: dict[str, list[Broken]] = {}
    for result in results:
        if result.anomalies:
            found = [_found(view, result.variant, anomaly) for anomaly in result.anomalies]
            expected = result.variant in result.invariant.broken_in
            broken.setdefault(result.invariant.text, []).append(Broken(result, expected, found[:SHOWN], found[SHOWN:]))
    return Data(broken, view.record.trials) if broken else None


def _found(view: View, variant: str, anomaly: Anomaly) -> Found:
    wanted = anomaly.operations[:MAX_OPERATIONS]
    everything = view.run.operations(variant, anomaly.trial)
    ops = everything.where(np.isin(everything.n, wanted))
    rows = [
        OperationRow(
            n=int(ops.n[k]),
            due=at(float(ops.due_s[k])),
            waited="no answer" if np.isnan(ops.end_s[k]) else duration(float(ops.end_s[k] - ops.due_s[k])),
            operation=str(ops.operation[k]),
            outcome=str(ops.outcome[k]),
            status=str(ops.status[k] or ops.error[k] or "–"),
            key=ops.key[k] or "–",
            value=ops.value[k] or "–",
            response=(ops.response[k] or "–")[:120],
        )
        for k in range(len(ops))
    ]
    drawn = timeline(everything, anomaly.operations, view.spec.load.timeout_s)
    return Found(anomaly, rows, len(anomaly.operations) - len(wanted), drawn)
