"""keys_listed and listed_ratio, on histories planted by hand."""

from __future__ import annotations

from pathlib import Path

from planted_runs import operation, plant, taken, told

from lab import metrics

HALVES = metrics.keys_listed("books", "halves")


def test_a_key_counts_once_in_the_phase_that_it_was_first_due(tmp_path: Path) -> None:
    """Whatever came of its operations; keys that no operation has are left out."""
    filler = [operation(10 + k / 10, key=f"f{k}") for k in range(20)]
    sent = [operation(9.9, key="a"), operation(10.1, key="a"), operation(12, None, "info", key="b")]
    for listed in (["a", "b", "f3", "z"], {"a": 1, "b": 1, "f3": 1, "z": 1}):
        folder = tmp_path / type(listed).__name__
        run = plant(folder, [*sent, *filler], readbacks={"books": {"halves": listed}})
        assert taken(run, HALVES) == told(2.0, n=21)


def test_one_kind_of_operation_where_it_is_named(tmp_path: Path) -> None:
    """The others have keys of their own."""
    sent = [operation(10 + k / 10, key=f"k{k}", operation="a" if k % 2 else "b") for k in range(60)]
    run = plant(tmp_path, sent, readbacks={"books": {"halves": ["k1", "k2", "k4"]}})
    assert taken(run, metrics.keys_listed("books", "halves", "b")) == told(2.0, n=30)
    assert taken(run, metrics.listed_ratio("books", "halves", "b")) == told(2 / 30, n=30)


def test_without_the_list_or_the_keys_there_is_no_number(tmp_path: Path) -> None:
    """What was not looked at is no 0."""
    sent = [operation(10 + k / 10, key=f"k{k}") for k in range(19)]
    untold = 'the readback "books" gave no list or object "halves"'
    assert taken(plant(tmp_path / "a", sent, readbacks={"books": {}}), HALVES) == told(None, why=untold)
    few = taken(plant(tmp_path / "b", sent, readbacks={"books": {"halves": []}}), HALVES)
    assert few.why == "only 19 keys were due in fault of off; the metric takes at least 20"
