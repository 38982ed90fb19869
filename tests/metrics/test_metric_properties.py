"""Each metric of operations against a slow and plain definition, on runs that hypothesis plants."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_runs import PHASES, T0_EPOCH_S, TIMEOUT_S, Row, operation, plant, receipt, taken

from lab import metrics
from lab.metrics import Measured
from lab.metrics.arithmetic import beyond_chance
from lab.model import Metric

pytestmark = pytest.mark.untraced

# Eighths of a second are exact in binary, so that the plain way and ours meet the same edges.
ENDINGS: Sequence[tuple[str, int | None, str | None]] = (
    ("ok", 200, None), ("ok", 200, None), ("fail", 503, "http 503"), ("info", 504, "http 504"),
    ("fail", None, "refused"), ("fail", None, "connect timeout"), ("info", None, "timeout"), ("info", None, "reset"),
    ("info", None, None),
)  # fmt: skip
TRIES = st.lists(
    st.tuples(st.integers(0, 239), st.integers(0, 16), st.integers(0, 2), st.sampled_from(ENDINGS), st.booleans()),
    min_size=60, max_size=200,
)  # fmt: skip
FROM_S, TO_S = 10.25, 19.75  # in which exactly the fault of the phase is in force
OUT_S = 20.25


@dataclass(frozen=True)
class Try:
    """One operation, as the plain definitions see it; `end_s` is infinite where it never ended."""

    due_s: float
    start_s: float
    end_s: float
    name: str
    outcome: str
    answered: bool

    @property
    def over_s(self) -> float:
        """When its caller knew, or gave up."""
        return self.end_s if math.isfinite(self.end_s) else self.start_s + TIMEOUT_S


def planted(tries: Any) -> tuple[list[Row], list[Try]]:
    """The rows of a run, and the same as plain objects; two kinds of operations."""
    rows, plain = [], []
    for due, wait, late, (outcome, status, error), is_read in sorted(tries, key=lambda each: each[0]):
        due_s, name = due / 8, "read" if is_read else "write"
        start_s, ended = due_s + late / 8, not (status is None and error is None)
        end_s = start_s + wait / 8 if ended else math.inf
        rows.append(
            operation(due_s, 0.0, outcome, start_s=start_s, end_s=end_s if ended else None, status=status, error=error,
                      operation=name)
        )  # fmt: skip
        answered = ended and (status is not None or error == "refused")
        plain.append(Try(due_s, start_s, end_s, name, outcome, answered))
    return rows, plain


def due(tries: Sequence[Try], name: str | None, from_s: float = FROM_S, to_s: float = TO_S) -> list[Try]:
    """Those due in a stretch of time, of one kind."""
    return [each for each in tries if from_s <= each.due_s < to_s and name in (None, each.name)]


def percentile(per_mille: int, of: str, naive: bool = False) -> Callable[[Sequence[Try], str | None], Any]:
    """By sorting."""

    def plain(tries: Sequence[Try], name: str | None) -> Any:
        mine = [
            e for e in due(tries, name) if of == "all" or (e.answered and e.outcome == {"ok": "ok"}.get(of, "fail"))
        ]
        if len(mine) < max(20, math.ceil(1000 / (1000 - per_mille)) if per_mille < 1000 else 1):
            return None
        waits = []
        for each in mine:
            end_s = each.end_s if each.answered else max(each.start_s + TIMEOUT_S, each.over_s)
            waits.append((end_s - (each.start_s if naive else each.due_s), each.answered))
        rank = math.ceil(per_mille * len(waits) / 1000) - 1
        low = sorted(wait for wait, _ in waits)[rank]
        high = sorted(wait if exact else math.inf for wait, exact in waits)[rank]
        return low * 1000, high > low

    return plain


def mean(tries: Sequence[Try], name: str | None) -> Any:
    """By adding up."""
    mine = due(tries, name)
    waits = [(e.end_s if e.answered else max(e.start_s + TIMEOUT_S, e.over_s)) - e.due_s for e in mine]
    return (sum(waits) / len(waits) * 1000, not all(e.answered for e in mine)) if len(mine) >= 20 else None


def share(ok: bool) -> Callable[[Sequence[Try], str | None], Any]:
    """By counting."""

    def plain(tries: Sequence[Try], name: str | None) -> Any:
        mine = due(tries, name)
        return (sum((e.outcome == "ok") == ok for e in mine) / len(mine), False) if len(mine) >= 20 else None

    return plain


def count(tries: Sequence[Try], name: str | None) -> Any:
    """Of the whole phase."""
    mine = due(tries, name, 10.0, 20.0)
    return (len(mine), False) if mine else None


def lost(tries: Sequence[Try], name: str | None) -> Any:
    """Of the whole phase."""
    mine = due(tries, name, 10.0, 20.0)
    return (sum(e.outcome != "ok" for e in mine), False) if len(mine) >= 20 else None


def rate(good: bool) -> Callable[[Sequence[Try], str | None], Any]:
    """Answers by when they came."""

    def plain(tries: Sequence[Try], name: str | None) -> Any:
        mine = [e for e in tries if name in (None, e.name)]
        came = [e for e in mine if FROM_S <= e.end_s < TO_S]
        sample = [e for e in mine if FROM_S <= e.end_s < TO_S or FROM_S <= e.due_s < TO_S]
        counted = [e for e in came if (e.outcome == "ok" if good else e.answered)]
        return (len(counted) / (TO_S - FROM_S), False) if len(sample) >= 20 else None

    return plain


def in_flight(tries: Sequence[Try], name: str | None) -> Any:
    """By looking at every sixteenth of a second."""
    if len(due(tries, None)) < 20:
        return None
    moments = [FROM_S + k / 16 for k in range(int((TO_S - FROM_S) * 16))]
    return max(sum(e.start_s <= at < e.over_s for e in tries) for at in moments), False


def gap(tries: Sequence[Try], name: str | None) -> Any:
    """By walking from success to success."""
    if len(due(tries, name, 10.0, 20.0)) < 20:
        return None
    mine = [e for e in tries if name in (None, e.name)]
    ends = sorted(e.end_s for e in mine if e.outcome == "ok")
    edges = [mine[0].due_s, *ends, max(max(e.over_s for e in mine), *ends[-1:])]
    pauses = [(b - a, k in (0, len(ends))) for k, (a, b) in enumerate(pairwise(edges)) if a < 20 and b > 10]
    longest = max(length for length, _ in pauses)
    return longest, any(is_open for length, is_open in pauses if length == longest)


def detect(tries: Sequence[Try], name: str | None) -> Any:
    """By looking at each failure and those that end after it."""
    before = [e for e in tries if e.over_s < FROM_S]
    usual = sum(e.outcome != "ok" for e in before) / len(before) if len(before) >= 20 else 0.0
    if usual > 0.1:
        return None
    seen = sorted((e for e in tries if e.over_s >= FROM_S and e.start_s < 20), key=lambda e: e.over_s)
    for k, each in enumerate(seen):
        run = seen[k : k + 20]
        failures = sum(e.outcome != "ok" for e in run)
        if each.outcome != "ok" and failures >= beyond_chance(len(run), max(0.01, usual), 1e-4):
            return each.over_s - FROM_S, False
    return 20 - FROM_S, True


def recover(tries: Sequence[Try], name: str | None) -> Any:
    """By looking at each window; `tries` are of the phase after the fault."""
    mine = due(tries, name, OUT_S, 30.0)
    if len(mine) < 20 or mine[-1].due_s < 27:
        return None
    base = due(tries, name, 0.0, 10.0)
    bad_base = [e for e in base if not (e.outcome == "ok" and e.end_s - e.due_s <= 1)]
    usual = max(0.01, len(bad_base) / len(base)) if len(base) >= 20 else 0.01
    if usual > 0.1:
        return None
    failed = [not (e.outcome == "ok" and e.end_s - e.due_s <= 1) for e in mine]
    last, last_bad_s = -1, OUT_S
    for k, each in enumerate(mine):
        second = [j for j in range(k, len(mine)) if mine[j].due_s < each.due_s + 1]
        for size, whole in ((20, k + 20 <= len(mine)), (len(second), len(second) > 20 and each.due_s + 1 <= 30)):
            if whole and sum(failed[k : k + size]) >= beyond_chance(size, usual, 1e-4):
                last = max(last, *(j for j in range(k, k + size) if failed[j]))
                last_bad_s = max(last_bad_s, each.due_s)
    healthy_s = mine[last].due_s if last >= 0 else OUT_S
    if healthy_s > 27:
        return last_bad_s - OUT_S, True
    rest = failed[last + 1 :]
    return healthy_s - OUT_S, bool(rest) and sum(rest) >= beyond_chance(len(rest), usual, 0.01)


PLAIN: list[tuple[Metric, Callable[[Sequence[Try], str | None], Any]]] = [
    (metrics.p50_ms(of="ok"), percentile(500, "ok")),
    (metrics.p90_ms(of="refused"), percentile(900, "refused")),
    (metrics.p90_ms("read", of="all"), percentile(900, "all")),
    (metrics.p95_ms(of="all"), percentile(950, "all")),
    (metrics.p99_ms(of="all"), percentile(990, "all")),
    (metrics.p999_ms(of="all"), percentile(999, "all")),
    (metrics.max_ms("write", of="all"), percentile(1000, "all")),
    (metrics.naive_p99_ms(of="all"), percentile(990, "all", naive=True)),
    (metrics.mean_ms(of="all"), mean),
    (metrics.success_ratio("write"), share(True)),
    (metrics.error_ratio(), share(False)),
    (metrics.requests("read"), count),
    (metrics.requests_lost(), lost),
    (metrics.throughput_per_s(), rate(good=False)),
    (metrics.goodput_per_s("read"), rate(good=True)),
    (metrics.max_in_flight(), in_flight),
    (metrics.longest_gap_s("write"), gap),
    (metrics.longest_gap_s(), gap),
    (metrics.detect_s(), detect),
    (metrics.recovery_s(), recover),
    (metrics.recovery_s("read"), recover),
]
FAULT = receipt(10.5, removed_s=OUT_S, began_s=FROM_S, removing_s=TO_S)


@settings(max_examples=40, deadline=None)
@given(TRIES, st.sampled_from([(0.0, 30.0), (10.25, 20.0), (10.0, 22.0), (13.0, 30.0), (30.0, 30.0)]))
def test_each_metric_is_what_its_plain_definition_says(tries: Any, spoiled: tuple[float, float]) -> None:
    """Failures come in one stretch of the run; outside of it every operation succeeds at once."""
    kept = [each if spoiled[0] <= each[0] / 8 < spoiled[1] else (each[0], 1, 0, ENDINGS[0], each[4]) for each in tries]
    rows, mine = planted(kept)
    with tempfile.TemporaryDirectory() as folder:
        run = plant(Path(folder), rows, receipts=[FAULT], broken=["fault"])
        for metric, plain in PLAIN:
            phase = "recovery" if metric.name == "recovery_s" else "fault"
            operation_asked: Any = metric.args.get("operation")
            agrees(taken(run, metric, phase), plain(mine, operation_asked), f"{metric.name} {metric.args}")


def agrees(found: Measured, expected: Any, which: str = "") -> None:
    """The same number, and the same word on whether it is only "at least"."""
    if expected is None:
        assert found.value is None, (which, found)
        assert found.why
    else:
        value, censored = expected
        assert (found.value, found.censored) == (pytest.approx(value), censored), (which, found)


MESSAGES = st.lists(
    st.tuples(st.integers(0, 239), st.sampled_from(["ok", "ok", "ok", "fail", "info"]),
              st.lists(st.integers(0, 40), max_size=2)),
    min_size=60, max_size=150,
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(MESSAGES)
def test_messages_are_counted_as_one_would_one_by_one(sent: Any) -> None:
    """Lost, come again and late, message by message."""
    sent = sorted(sent, key=lambda each: each[0])
    rows = [operation(due / 8, 0.0, outcome, key=f"m{k}") for k, (due, outcome, _) in enumerate(sent)]
    came = sorted((due / 8 + wait / 8, f"m{k}") for k, (due, _, waits) in enumerate(sent) for wait in waits)
    received = [{"id": name, "subject": "s", "seq": 1, "at": T0_EPOCH_S + at_s} for at_s, name in came]
    here = [(k, due / 8, outcome, waits) for k, (due, outcome, waits) in enumerate(sent) if 10 <= due / 8 < 20]
    with tempfile.TemporaryDirectory() as folder:
        run = plant(Path(folder), rows, readbacks={"n": {"received": received}})
        lost, again, late = (
            taken(run, make("n")) for make in (metrics.messages_lost, metrics.messages_again, metrics.catch_up_s)
        )
    acked = [each for each in here if each[2] == "ok"]
    agrees(lost, (sum(not waits for *_, waits in acked), False) if len(acked) >= 20 else None)
    got = [waits for *_, waits in here if waits]
    agrees(again, (sum(len(waits) - 1 for waits in got), False) if len(got) >= 20 else None)
    asked = [(due / 8, waits) for due, outcome, waits in sent if outcome == "ok" and due / 8 + 1 < 20]
    first = [due_s + min(waits) / 8 if waits else math.inf for due_s, waits in asked]
    behind = [at_s for at_s, (due_s, _) in zip(first, asked, strict=True) if at_s > due_s + 1]
    if len(asked) < 20:
        agrees(late, None)
    elif any(at_s > 20 for at_s in behind):
        agrees(late, (10.0, True))
    else:
        agrees(late, (max([0.0, *(at_s - 10 for at_s in behind)]), False))


REGISTER = st.lists(
    st.tuples(st.integers(0, 239), st.integers(0, 8), st.booleans(), st.sampled_from(["ok", "ok", "fail", "info"]),
              st.integers(0, 12)),
    min_size=50, max_size=120,
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(REGISTER)
def test_stale_reads_are_found_by_looking_at_every_write(tries: Any) -> None:
    """A read is stale if some write began after the value's own had ended, and ended before the read began."""
    tries = sorted(tries, key=lambda each: each[0])
    rows, writes, reads = [], [], []
    for k, (due, wait, is_read, outcome, which) in enumerate(tries):
        at_s, end_s = due / 8, due / 8 + wait / 8
        if is_read:
            value = f"v{which}" if which else None
            rows.append(
                operation(at_s, wait / 8, "ok", operation="read", key="k", response=json.dumps({"value": value}))
            )
            reads.append((at_s, value))
        else:
            value = f"v{k % 13}"
            rows.append(operation(at_s, wait / 8, outcome, operation="write", key="k", value=value))
            if outcome != "fail":
                writes.append((value, at_s, end_s if outcome == "ok" else math.inf))
    count = 0
    mine = [(at_s, value) for at_s, value in reads if 10 <= at_s < 20] if writes else []
    for at_s, value in mine:
        of_value = [(start, end) for v, start, end in writes if v == value]
        ended_s = -math.inf if value is None else of_value[0][1] if len(of_value) == 1 else math.inf
        # A value written twice never overwrites for certain either: which of its writes is meant is not known.
        sure = [(v, s, e) for v, s, e in writes if sum(v == w for w, _, _ in writes) == 1]
        count += any(start > ended_s and end < at_s for _, start, end in sure)
    with tempfile.TemporaryDirectory() as folder:
        found = taken(plant(Path(folder), rows), metrics.stale_reads())
    agrees(found, (count, False) if len(mine) >= 20 else None)


def test_phases_are_those_that_the_plain_definitions_mean() -> None:
    """The stretches above are of the planted phases."""
    assert [(phase.start_s, phase.end_s) for phase in PHASES] == [(0, 10), (10, 20), (20, 30)]
