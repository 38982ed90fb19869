"""Gaps between successes, and reads of what was overwritten, planted by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from planted_runs import Row, operation, plant, taken, told

from lab import metrics


def write(due_s: float, wait_s: float | None, value: str, outcome: str = "ok", key: str = "k") -> Row:
    """A write of one key."""
    return operation(due_s, wait_s, outcome, operation="write", key=key, value=value)


def read(due_s: float, value: str | None, key: str = "k") -> Row:
    """A read, answered at once."""
    return operation(due_s, 0.01, operation="read", key=key, response=json.dumps({"value": value}))


def swap(due_s: float, expect: str, value: str, swapped: bool) -> Row:
    """A compare-and-set, answered at once."""
    said = json.dumps({"swapped": swapped})
    return operation(due_s, 0.01, operation="cas", key="k", value=json.dumps([expect, value]), response=said)


@pytest.mark.parametrize(
    ("due", "gap_s"),
    [
        ([9.9, 11, 12, 15.5, 19.9, 20.1], 4.4),  # between two successes
        ([9.9, 13, 16, 19, 20.5], 3.0),  # from the phase's start; what was before does not count
        ([11, 12, 13, 25], 12.0),  # an end that comes after the phase
        ([25], 15.0),
    ],
)
def test_the_longest_gap(tmp_path: Path, due: list[float], gap_s: float) -> None:
    """Success by success, whenever it was due."""
    run = plant(tmp_path, [operation(at_s, 0.0) for at_s in due])
    assert taken(run, metrics.longest_gap_s()) == told(pytest.approx(gap_s))  # type: ignore[arg-type]


def test_a_gap_that_does_not_end(tmp_path: Path) -> None:
    """Without a success to come, the gap is at least what is left of the phase; failures end none."""
    run = plant(tmp_path, [operation(12, 0.0), operation(18, 0.0, "fail"), operation(21, 0.0, "info")])
    assert taken(run, metrics.longest_gap_s()) == told(8.0, censored=True)


def test_the_end_of_the_load_is_no_gap(tmp_path: Path) -> None:
    """Where the load ends with the phase, what is left of it counts only where it is the longest."""
    run = plant(tmp_path, [operation(12, 0.0), operation(18, 0.0)])
    assert taken(run, metrics.longest_gap_s()) == told(6.0)


def test_a_gap_of_one_operation(tmp_path: Path) -> None:
    """Reads that go on do not hide that no write does."""
    run = plant(tmp_path, [*(read(10 + n, None) for n in range(9)), write(10, 0.0, "a"), write(20, 0.0, "b")])
    assert taken(run, metrics.longest_gap_s("write")) == told(10.0)
    assert taken(run, metrics.longest_gap_s("other")).value is None


STALE: dict[str, tuple[list[Row], int]] = {
    "a value overwritten before": ([write(10, 0.1, "a"), write(11, 0.1, "b"), read(12, "a")], 1),
    "overwritten twice": ([write(10, 0.1, "a"), write(11, 0.1, "b"), write(12, 0.1, "c"), read(13, "a")], 1),
    "nothing, though something was written": ([write(10, 0.1, "a"), read(12, None)], 1),
    "overwritten by a swap": ([write(10, 0.1, "a"), swap(11, "a", "b", True), read(12, "a")], 1),
    "a swap's value overwritten": ([swap(10, "a", "b", True), write(11, 0.1, "c"), read(12, "b")], 1),
    "the latest": ([write(10, 0.1, "a"), write(11, 0.1, "b"), read(12, "b")], 0),
    "overwritten meanwhile": ([write(10, 0.1, "a"), write(11, 2.0, "b"), read(12, "a")], 0),
    "by writes at the same time": ([write(10, 2.0, "a"), write(11, 0.1, "b"), read(13, "a")], 0),
    "a write nobody answered": ([write(10, None, "a", "info"), write(11, 0.1, "b"), read(12, "a")], 0),
    "an overwriting nobody answered": ([write(10, 0.1, "a"), write(11, None, "b", "info"), read(12, "a")], 0),
    "an overwriting refused": ([write(10, 0.1, "a"), write(11, 0.1, "b", "fail"), read(12, "a")], 0),
    "a swap that did not match": ([write(10, 0.1, "a"), swap(11, "z", "b", False), read(12, "a")], 0),
    "a value written twice": ([write(10, 0.1, "a"), write(11, 0.1, "b"), write(11.5, 0.1, "a"), read(12, "a")], 0),
    "another key": ([write(10, 0.1, "a"), write(11, 0.1, "b", key="other"), read(12, "a")], 0),
}


@pytest.mark.parametrize("name", STALE)
def test_stale_reads(tmp_path: Path, name: str) -> None:
    """Only what was surely overwritten before the read began counts."""
    rows, count = STALE[name]
    assert taken(plant(tmp_path, rows), metrics.stale_reads()) == told(count)


def test_stale_reads_of_the_phase(tmp_path: Path) -> None:
    """Reads of other phases do not count, and without any there is nothing to say."""
    rows = [write(1, 0.1, "a"), write(2, 0.1, "b"), read(3, "a"), read(12, "a")]
    assert taken(plant(tmp_path, rows), metrics.stale_reads()) == told(1)
    assert taken(plant(tmp_path, rows[:3]), metrics.stale_reads()).value is None
