"""Operations are read column by column, each once, and lines of logs are searched before they are decoded."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from report.fabricate import Recipe, fabricate

from lab.errors import RecordError
from lab.observe import logs
from lab.record import Operations, Run, parquet, read_run
from lab.report import write_report


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """600 operations of two variants in two trials, in parts of 70."""
    monkeypatch.setattr(parquet, "PART_ROWS", 70)
    return fabricate(tmp_path, Recipe(phases_s=(1, 1, 1), trials=2))


def test_every_column_is_that_of_the_whole_table(run: Run) -> None:
    """Of each variant and trial, by due time, in whatever order it stands in the file."""
    assert pq.ParquetFile(run.path / "operations.parquet").num_row_groups == 9
    shuffled = pq.read_table(run.path / "operations.parquet")
    shuffled = shuffled.take(np.random.default_rng(1).permutation(len(shuffled)))
    pq.write_table(shuffled, run.path / "operations.parquet", row_group_size=70)
    whole = read_run(run.path).table("operations").sort_by("due_s").to_pylist()
    for variant in ("off", "on"):
        for trial in (1, 2):
            rows = [row for row in whole if (row["variant"], row["trial"]) == (variant, trial)]
            found = read_run(run.path).operations(variant, trial)
            assert len(found) == len(rows) == 150
            for name in Operations.__dataclass_fields__:
                nothing: Any = 0 if name in ("status", "n") else np.nan if name.endswith("_s") else None
                expected = [nothing if row[name] is None else row[name] for row in rows]
                np.testing.assert_array_equal(getattr(found, name), np.array(expected, getattr(found, name).dtype))


def test_a_report_reads_each_column_once_and_no_text_that_it_does_not_show(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many metrics, variants and trials look at it; of trace ids it picks the few that it draws."""
    read: Counter[str] = Counter()
    real = parquet.read

    def counting(file: Path, name: str, columns: Sequence[str] | None = None) -> Any:
        read.update(columns or ["everything"] if name == "operations" else [])
        return real(file, name, columns)

    monkeypatch.setattr(parquet, "read", counting)
    write_report(read_run(run.path))
    assert read["outcome"] == read["end_s"] == 1
    assert read["due_s"] == 2, "once to sort by, once to look at"
    assert max(read.values()) == 2
    assert not {"key", "value", "response", "trace_id", "everything"} & set(read)


def test_choices_of_choices_and_other_values(run: Run) -> None:
    """What is taken from what was taken is what it is of the whole; a column of one's own replaces another."""
    everything = run.operations("on", 2)
    late = everything.where(everything.due_s > 1)
    few = late.where(late.being("outcome", "ok")).take(np.array([5, 2]))
    ok = [k for k in range(len(everything)) if everything.due_s[k] > 1 and everything.outcome[k] == "ok"]
    assert few.trace_id.tolist() == [everything.trace_id[ok[5]], everything.trace_id[ok[2]]]
    assert late.at("trace_id", np.array([3, 0])).tolist() == late.trace_id[[3, 0]].tolist()
    moved = late.having(due_s=late.due_s + 1)
    assert (moved.due_s == late.due_s + 1).all()
    assert moved.at("n", np.array([1]))[0] == late.n[1]
    with pytest.raises(AttributeError):
        _ = late.nothing_of_the_kind


def test_a_few_values_are_picked_without_the_rest(run: Run) -> None:
    """From any part, in the order asked for, one of them twice."""
    file = run.path / "operations.parquet"
    whole = parquet.read(file, "operations", ["key"])["key"].to_pylist()
    rows = np.array([599, 0, 70, 69, 0])
    assert parquet.pick(file, "operations", "key", rows) == [whole[row] for row in rows]


def test_what_was_let_go_is_read_again(run: Run) -> None:
    """A report lets go of operations before it draws."""
    opened = read_run(run.path)
    before = opened.operations("on").latency_ms
    opened.forget()
    assert not opened.__dict__.get("_columns")
    np.testing.assert_array_equal(opened.operations("on").latency_ms, before)


def test_damage_shows_with_the_first_look(run: Run) -> None:
    """Not only when a damaged column is looked at; damaged texts, when they are."""
    table = pq.read_table(run.path / "operations.parquet")
    at = table.schema.get_field_index("end_s")
    damaged = table.set_column(at, "end_s", [[float("inf")] * len(table)])
    pq.write_table(damaged, run.path / "operations.parquet")
    with pytest.raises(RecordError, match="end_s holds what is no number"):
        read_run(run.path).operations("on")


@pytest.mark.parametrize("block", [1, 7, 40, 10_000])
def test_lines_are_searched_before_they_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    """Those with one of the words come as they would without the search, wherever a block of the file ends."""
    monkeypatch.setattr(logs, "BLOCK_BYTES", block)
    texts = [json.dumps({"trace_id": f"{n % 5:04x}", "n": n}) for n in range(40)]
    texts[7:7] = ["", "no JSON, and 0003 in it", '{"half": "0002', "0002" * 3]
    (tmp_path / "a.log").write_text("\n".join(texts))
    wanted = [line for line in logs.lines(tmp_path / "a.log") if "0003" in str(line) or "0002" in str(line)]
    assert len(wanted) == 19
    assert list(logs.lines(tmp_path / "a.log", ["0003", "0002"])) == wanted
    assert list(logs.lines(tmp_path / "a.log", ["nowhere"])) == []
    assert list(logs.lines(tmp_path / "a.log", [])) == []
