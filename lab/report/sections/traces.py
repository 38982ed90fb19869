"""The slowest operations of each variant as waterfalls: where in the chain of calls the time went."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lab.observe.traces import Span, Trace, assemble
from lab.record import Operations
from lab.report.aggregate import waits_ms
from lab.report.numbers import at, duration
from lab.report.view import View

TITLE = "Slowest traces"
A_VARIANT = 3
LOOKED_AT = 1_000  # at a time: the slowest nearly always have a trace
MAX_SPANS = 40


@dataclass(frozen=True)
class Bar:
    """A line of a waterfall; `left` and `width` in percent of the whole."""

    depth: int
    who: str
    what: str
    took: str
    remark: str
    failed: bool
    left: float
    width: float
    kind: str


@dataclass(frozen=True)
class Waterfall:
    """One operation: the wait of its caller first, then the spans below it."""

    n: int
    title: str
    trace_id: str
    bars: Sequence[Bar]
    left_out: int


@dataclass(frozen=True)
class Data:
    """Waterfalls by variant, the slowest first."""

    variants: Sequence[tuple[str, Sequence[Waterfall]]]


def build(view: View) -> Data | None:
    """None where the logs hold no span of a slow operation."""
    found = [(variant, _slowest(view, variant)) for variant in view.variants]
    found = [(variant, waterfalls) for variant, waterfalls in found if waterfalls]
    return Data(found) if found else None


def _slowest(view: View, variant: str) -> list[Waterfall]:
    ops = view.run.operations(variant, view.trial)
    waits = waits_ms(ops, view.spec.load.timeout_s)
    by_id = _first_with_trace(ops, np.argsort(-waits, kind="stable"))
    traces = assemble(view.run.logs / f"{view.trial}-{variant}", list(by_id))
    t0_epoch_s = view.episode(variant).t0_epoch_s
    return [_waterfall(ops, by_id[t.trace_id], float(waits[by_id[t.trace_id]]), t, t0_epoch_s) for t in traces]


def _first_with_trace(ops: Operations, order: NDArray[np.int64]) -> dict[str, int]:
    """The first A_VARIANT of these that have a trace id, by that id."""
    found: dict[str, int] = {}
    for k in range(0, len(order), LOOKED_AT):
        rows = order[k : k + LOOKED_AT]
        for row, trace_id in zip(rows.tolist(), ops.at("trace_id", rows), strict=True):
            if trace_id:
                found.setdefault(str(trace_id), row)
            if len(found) == A_VARIANT:
                return found
    return found


def _waterfall(ops: Operations, k: int, wait_ms: float, trace: Trace, t0_epoch_s: float) -> Waterfall:
    begin_ms = (trace.start_epoch_s - t0_epoch_s - float(ops.due_s[k])) * 1000  # of the first span, from due
    answered = math.isfinite(wait_ms)
    whole_ms = max(begin_ms + trace.duration_ms, wait_ms if answered else 0.0, 0.001)
    spans = list(trace.walk())
    operation = str(ops.operation[k])
    caller = Bar(
        depth=0,
        who="load",
        what=operation,
        took=duration(wait_ms / 1000) if answered else "no answer",
        remark=str(ops.error[k] or ops.status[k] or ""),
        failed=ops.outcome[k] != "ok",
        left=0.0,
        width=round(100 * (wait_ms if answered else whole_ms) / whole_ms, 2),
        kind="load",
    )
    bars = [caller, *(_bar(depth + 1, span, begin_ms, whole_ms) for depth, span in spans[:MAX_SPANS])]
    took = f"waited {caller.took}" if answered else "never answered"
    title = f"{operation}, due at {at(float(ops.due_s[k]))} in {ops.phase[k]}, {took}"
    return Waterfall(int(ops.n[k]), title, trace.trace_id, bars, max(0, len(spans) - MAX_SPANS))


def _bar(depth: int, span: Span, begin_ms: float, whole_ms: float) -> Bar:
    left = 100 * max(0.0, begin_ms + span.offset_ms) / whole_ms
    width = 100 * span.duration_ms / whole_ms
    return Bar(
        depth=depth,
        who=span.service or "?",
        what=f"{span.name} → {span.peer}" if span.kind == "client" and span.peer else span.name,
        took=duration(span.duration_ms / 1000),
        remark=str(span.error or span.status or ""),
        failed=bool(span.error) or (span.status or 0) >= 500,
        left=round(min(left, 99.6), 2),
        width=round(min(max(width, 0.4), 100 - min(left, 99.6)), 2),
        kind="client" if span.kind == "client" else "server",
    )
