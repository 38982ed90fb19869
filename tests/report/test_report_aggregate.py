from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.record import Operations, Probe
from lab.report import aggregate

pytestmark = pytest.mark.e2e

TIMEOUT_S = 10.0


def operations(rows: list[tuple[float, float | None, str]]) -> Operations:
    """Operations from (due_s, wait in s or None where never answered, outcome)."""
    count = len(rows)
    due = np.array([row[0] for row in rows])
    end = np.array([row[0] + row[1] if row[1] is not None else np.nan for row in rows])
    text = np.array([None] * count, dtype=object)
    return Operations(
        n=np.arange(count), due_s=due, start_s=due, end_s=end, operation=text,
        outcome=np.array([row[2] for row in rows], dtype=object), status=np.zeros(count, dtype=np.int64), error=text,
        phase=text, key=text, value=text, response=text, trace_id=text,
    )  # fmt: skip


some_operations = st.lists(
    st.tuples(
        st.floats(0, 29.99, allow_nan=False),
        st.one_of(st.none(), st.floats(0.0001, 20)),
        st.sampled_from(["ok", "fail", "info"]),
    ),
    max_size=60,
)


def unanswered(row: tuple[float, float | None, str]) -> bool:
    """Whether it has no answer: none ever came, or the connection ended first. Its wait is at least the timeout."""
    return row[1] is None or row[2] == "info"


@given(some_operations)
def test_no_operation_is_lost_in_the_bins(rows: list[tuple[float, float | None, str]]) -> None:
    """Every operation is in exactly one bin and in exactly one cell, under its outcome."""
    ops = operations(rows)
    bins = aggregate.over_time(ops, TIMEOUT_S, 30, 1.0)
    for outcome in ("ok", "fail", "info"):
        assert sum(getattr(b, outcome) for b in bins) == sum(row[2] == outcome for row in rows)
    cells = aggregate.heat(ops, TIMEOUT_S, 30, 1.0)
    assert sum(cell.count for cell in cells) == len(rows)
    assert sum(cell.count for cell in cells if math.isinf(cell.low_ms)) == sum(map(unanswered, rows))


@given(some_operations)
def test_bins_hold_what_a_count_by_hand_gives(rows: list[tuple[float, float | None, str]]) -> None:
    """Counts and quantiles of a bin are those of the operations due in it; no answer is an infinite wait."""
    ops = operations(rows)
    for b in aggregate.over_time(ops, TIMEOUT_S, 30, 1.0):
        mine = [row for row in rows if b.start_s <= row[0] < b.end_s]
        assert b.count == len(mine)
        waits = sorted(math.inf if unanswered(row) else (row[1] or 0) * 1000 for row in mine)
        for share, value in ((0.5, b.p50_ms), (0.99, b.p99_ms)):
            expected = waits[max(0, math.ceil(share * len(waits)) - 1)]
            assert value == expected or math.isclose(value, expected, rel_tol=1e-6, abs_tol=1e-6)


@given(st.floats(0.0002, 20))
def test_a_cell_holds_the_wait_it_counts(wait_s: float) -> None:
    """A wait lies between the edges of its cell."""
    (cell,) = aggregate.heat(operations([(3.2, wait_s, "ok")]), TIMEOUT_S, 30, 1.0)
    assert cell.start_s == 3
    assert cell.low_ms * 0.999 <= wait_s * 1000 <= cell.high_ms * 1.001


def test_bins_are_as_narrow_as_the_screen_allows() -> None:
    """Half seconds in a short run, seconds in the usual one, and never more than 75."""
    assert aggregate.bin_s(10) == 0.5
    assert aggregate.bin_s(50) == 1
    assert aggregate.bin_s(100) == 2
    for end_s in (3, 20, 21, 75, 76, 300, 3600, 40_000):
        assert end_s / aggregate.bin_s(end_s) <= aggregate.MAX_BINS


def test_a_request_given_up_was_never_answered() -> None:
    """A timeout of the caller is no answer, though it has an end."""
    ops = operations([(0.0, 10.0, "info"), (0.1, 0.2, "ok")])
    ops.error[0] = "timeout"
    assert list(aggregate.waits_ms(ops, TIMEOUT_S)) == [math.inf, 200.00000000000003]


def test_probes_are_told_apart_by_path_and_outcome() -> None:
    """A bin has the median of the answered and counts the others; probes before the load are left out."""
    probes = [
        Probe("a->b", "through", -0.1, "answered", 9.0),
        Probe("a->b", "through", 0.0, "answered", 1.0),
        Probe("a->b", "through", 0.1, "answered", 3.0),
        Probe("a->b", "through", 0.2, "timeout"),
        Probe("a->b", "through", 0.3, "reset"),
        Probe("a->b", "through", 0.4, "timeout"),
        Probe("a->b", "beside", 0.6, "refused"),
        Probe("a->b", "beside", 99.0, "answered", 9.0),
    ]
    beside, through = aggregate.probe_bins(probes, 10, 0.5)
    assert (through.p50_ms, through.answered, through.unanswered) == (2.0, 2, {"timeout": 2, "reset": 1})
    assert (beside.start_s, beside.p50_ms, beside.unanswered) == (0.5, None, {"refused": 1})
