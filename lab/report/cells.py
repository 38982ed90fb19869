"""What stands in the cells of the latency heat maps: operations of each, the slowest first, with their traces."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from lab.metrics.arithmetic import Floats
from lab.observe.traces import Trace, assemble
from lab.record import Operations
from lab.report.aggregate import BINS_A_DECADE, places, waits_ms
from lab.report.view import View

MOST_A_CELL = 4
MOST_OPERATIONS = 2_400  # of all variants together: about 170 kB
MOST_SPANS = 4_000  # about 150 kB
SPANS_A_TRACE = 16
LOST = "lost"  # the row of those that were never answered

Row = list[int | float | str | None]
Named = Callable[[str], int]


def cells(view: View, width_s: float) -> str:
    """As JSON for the page's script: variants, each with `cells` (`column:row` to operations) and `traces` by id.

    An operation is [n, due (s), wait (ms; null: never answered), name, outcome, answer, trace id]; a span
    [depth, service, what, start (ms), duration (ms), answer, failed]. Names stand once, in `names`.
    """
    names: dict[str, int] = {}

    def named(text: str) -> int:
        return names.setdefault(text, len(names))

    share = max(1, len(view.variants))
    variants = {
        variant: _variant(view, variant, width_s, MOST_OPERATIONS // share, MOST_SPANS // share, named)
        for variant in view.variants
    }
    whole = {"width": width_s, "decade": BINS_A_DECADE, "variants": variants, "names": list(names)}
    return json.dumps(whole, separators=(",", ":"))


def _variant(view: View, variant: str, width_s: float, most: int, most_spans: int, named: Named) -> dict[str, object]:
    ops = view.run.operations(variant, view.trial)
    waits = waits_ms(ops, view.spec.load.timeout_s)
    members = _members(ops, waits, width_s, view.ended_s(variant))
    a_cell = max(1, min(MOST_A_CELL, most // max(1, len(members))))
    listed = {cell: rows[:a_cell] for cell, rows in members.items()}
    while sum(map(len, listed.values())) > most:  # more cells than may be listed: the slowest are kept
        listed.pop(min(listed, key=lambda cell: float(waits[listed[cell][0]])))
    rows = np.array([k for found in listed.values() for k in found], dtype=np.int64)
    ids = dict(zip(rows.tolist(), ops.at("trace_id", rows), strict=True)) if len(rows) else {}
    traces = _traces(view, variant, ops, waits, ids, most_spans, named)
    return {
        "cells": {
            cell: [_operation(ops, waits, k, str(ids[k] or ""), traces, named) for k in found]
            for cell, found in listed.items()
        },
        "traces": traces,
    }


def _members(ops: Operations, waits: Floats, width_s: float, end_s: float) -> dict[str, list[int]]:
    """Rows of the operations in each cell, those that failed first, the slowest of them and of the others first."""
    found: dict[str, list[int]] = {}
    columns, rows = places(ops, waits, width_s)
    for k in np.lexsort((-waits, ops.ok)).tolist():
        if ops.due_s[k] < end_s:
            row = str(rows[k]) if math.isfinite(waits[k]) else LOST
            found.setdefault(f"{columns[k]}:{row}", []).append(k)
    return found


def _operation(
    ops: Operations, waits: Floats, k: int, trace_id: str, traces: Mapping[str, Sequence[Row]], named: Named
) -> Row:
    wait = round(float(waits[k]), 2) if math.isfinite(waits[k]) else None
    answer = str(ops.status[k] or ops.error[k] or "")
    shown = trace_id if trace_id in traces else trace_id[:8]  # short where there is nothing to unfold: to find in logs
    return [
        int(ops.n[k]), round(float(ops.due_s[k]), 3), wait, named(str(ops.operation[k])), named(str(ops.outcome[k])),
        named(answer), shown,
    ]  # fmt: skip


def _traces(
    view: View,
    variant: str,
    ops: Operations,
    waits: Floats,
    ids: Mapping[int, str | None],
    most_spans: int,
    named: Named,
) -> dict[str, list[Row]]:
    """The spans of these operations, the slowest operations first, until there are `most_spans`."""
    slowest = sorted((k for k in ids if ids[k]), key=lambda k: -float(waits[k]))
    wanted = {str(ids[k]): k for k in slowest}
    t0_epoch_s = view.episode(variant).t0_epoch_s
    found: dict[str, list[Row]] = {}
    spans = 0
    for trace in assemble(view.run.logs / f"{view.trial}-{variant}", list(wanted)):
        due_s = float(ops.due_s[wanted[trace.trace_id]])
        rows = _spans(trace, (trace.start_epoch_s - t0_epoch_s - due_s) * 1000, named)
        spans += len(rows)
        if spans > most_spans:
            break
        found[trace.trace_id] = rows
    return found


def _spans(trace: Trace, begin_ms: float, named: Named) -> list[Row]:
    return [
        [
            depth,
            named(span.service or "?"),
            named(f"{span.name} → {span.peer}" if span.kind == "client" and span.peer else span.name),
            round(max(0.0, begin_ms + span.offset_ms), 2),
            round(span.duration_ms, 2),
            named(str(span.error or span.status or "")),
            int(bool(span.error) or (span.status or 0) >= 500),
        ]
        for depth, span in list(trace.walk())[:SPANS_A_TRACE]
    ]
