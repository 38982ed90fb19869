"""What became of acknowledged writes, on histories planted by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from planted_runs import Row, operation, plant, receipt, taken, told

from lab import metrics

LOST = metrics.acknowledged_lost("kept")


def many(prefix: str, from_s: float, outcome: str = "ok", count: int = 20) -> list[Row]:
    """Writes, each answered 10 ms after it was due."""
    return [operation(from_s + k / 10, 0.01, outcome, key=f"{prefix}{k}") for k in range(count)]


def keys(rows: list[Row]) -> list[str]:
    """Their keys."""
    return [str(row["key"]) for row in rows]


BEFORE, DURING, AFTER = many("before", 5), many("during", 13), many("after", 22)
EVERYTHING = [*BEFORE, *DURING, *AFTER]


def test_a_crash_is_charged_with_what_was_acknowledged_before_it(tmp_path: Path) -> None:
    """Of 20 writes of the baseline the crash takes 3: they count in its phase; what is refused cannot be lost."""
    kept = {"kept": {"effects": keys(EVERYTHING)[3:]}}
    rows = [*EVERYTHING, *many("refused", 15, "fail"), *many("open", 16, "info")]
    run = plant(tmp_path, rows, readbacks=kept, receipts=[receipt(10.0)])
    assert taken(run, LOST, "fault") == told(3, n=40)  # 20 of before, and 20 of its own that nothing took after
    assert taken(run, LOST, "recovery") == told(0, n=20)
    assert taken(run, LOST, "baseline").value is None


def test_the_fault_that_came_next_counts(tmp_path: Path) -> None:
    """What was acknowledged after one fault is the next one's; after the last it is its own phase's."""
    receipts = [receipt(20.5, "recovery"), receipt(10.0)]
    run = plant(tmp_path, EVERYTHING, readbacks={"kept": {"effects": []}}, receipts=receipts)
    assert [taken(run, LOST, name).value for name in ("fault", "recovery")] == [20, 40]


def test_several_faults_are_added_up_where_they_are_named(tmp_path: Path) -> None:
    """In a phase that is named; in any other it is that phase's own count. An object's names are its keys."""
    receipts = [receipt(20.5, "recovery"), receipt(10.0)]
    kept = {"kept": {"effects": dict.fromkeys(keys(EVERYTHING)[5:], 7)}}
    run = plant(tmp_path, EVERYTHING, readbacks=kept, receipts=receipts)
    both = metrics.acknowledged_lost("kept", over="fault, recovery")
    assert [taken(run, both, name) for name in ("fault", "recovery")] == [told(5, n=60)] * 2
    assert taken(run, metrics.acknowledged_lost("kept", over="recovery"), "fault") == told(5, n=20)


@pytest.mark.parametrize("answer", [None, {"effects": "all"}, ["before0"]])
def test_without_a_list_nothing_is_measured(tmp_path: Path, answer: object) -> None:
    """A readback that is not there, or of another form, gives no number, and says why."""
    run = plant(tmp_path, EVERYTHING, readbacks={"kept": answer}, receipts=[receipt(10.0)])
    assert taken(run, LOST).why == 'the readback "kept" gave no list or object "effects"'


def test_too_few_are_no_proof(tmp_path: Path) -> None:
    """That none of 19 was lost says little."""
    run = plant(tmp_path, BEFORE[1:], readbacks={"kept": {"effects": keys(BEFORE)}}, receipts=[receipt(10.0)])
    assert taken(run, LOST).value is None
