"""Reads of what was overwritten, planted by hand."""

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


OTHERS = [write(0.1, 0.1, "x", key="fresh"), *(read(13 + k / 10, "x", "fresh") for k in range(20))]  # a sample


@pytest.mark.parametrize("name", STALE)
def test_stale_reads(tmp_path: Path, name: str) -> None:
    """Only what was surely overwritten before the read began counts."""
    rows, count = STALE[name]
    assert taken(plant(tmp_path, [*rows, *OTHERS]), metrics.stale_reads()) == told(count)


def test_stale_reads_of_the_phase(tmp_path: Path) -> None:
    """Reads of other phases do not count, and too few are no sample."""
    rows = [write(1, 0.1, "a"), write(2, 0.1, "b"), read(3, "a"), read(12, "a")]
    assert taken(plant(tmp_path / "a", [*rows, *OTHERS]), metrics.stale_reads()) == told(1, n=21)
    few = taken(plant(tmp_path / "b", rows), metrics.stale_reads())
    assert few == told(None, n=1, why=(
        'only 1 acknowledged "read" operations on keys that were written were due in fault of off; '
        "the metric takes at least 20"
    ))  # fmt: skip


def test_a_value_is_the_same_however_it_is_written(tmp_path: Path) -> None:
    """A write of "1.0" is what a read of 1 sees: the one before is stale, and this one is not."""
    rows = [write(10, 0.1, "0"), write(11, 0.1, "1.0"), read(12, 1), read(12.5, "0")]  # type: ignore[arg-type]
    assert taken(plant(tmp_path, [*rows, *OTHERS]), metrics.stale_reads()) == told(1)


@pytest.mark.parametrize(
    ("response", "told_as"),
    [("[1]", "is '[1]'"), ("no json", "is 'no json'"), (None, "was not kept"), ('{"other": 1}', "is '{")],
)
def test_an_answer_that_cannot_be_read_is_named(tmp_path: Path, response: str | None, told_as: str) -> None:
    """No number, and no end of the judgement: the reason names the operation and what it holds."""
    rows = [write(10, 0.1, "a"), {**read(12, "a"), "response": response}]
    why = taken(plant(tmp_path, rows), metrics.stale_reads()).why
    assert why.startswith(f"the answer of operation 1 {told_as}")
    assert "which is no JSON object with" in why


def test_a_list_that_was_read_is_a_value_like_others(tmp_path: Path) -> None:
    """What a read gives may be a list: it is compared, not refused."""
    rows = [write(10, 0.1, "[1, 2]"), write(11, 0.1, "b"), read(12, [1, 2])]  # type: ignore[arg-type]
    assert taken(plant(tmp_path, [*rows, *OTHERS]), metrics.stale_reads()) == told(1)


def test_a_swap_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A compare-and-set whose value is no pair."""
    rows = [{**swap(10, "a", "b", True), "value": "a"}, read(12, "a")]
    assert taken(plant(tmp_path, rows), metrics.stale_reads()).why.startswith("operation 0 swaps 'a', which is no JSON")
