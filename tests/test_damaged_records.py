"""Each command answers a damaged record in a sentence, and `list` goes on to the next."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from report.fabricate import Recipe, fabricate

from lab.cli import main


def column(table: str, name: str, value: Any, kind: pa.DataType | None = None) -> Callable[[Path], object]:
    """Put one value into every row of a column."""

    def spoil(run: Path) -> None:
        whole = pq.read_table(run / f"{table}.parquet")
        values = pa.array([value] * len(whole), kind)
        place = whole.schema.get_field_index(name)
        pq.write_table(whole.set_column(place, name, values), run / f"{table}.parquet")

    return spoil


def key(name: str, value: Any) -> Callable[[Path], object]:
    """Put something else in the place of a part of the record."""

    def spoil(run: Path) -> None:
        record = json.loads((run / "record.json").read_text())
        (run / "record.json").write_text(json.dumps({**record, name: value}))

    return spoil


def folder(name: str) -> Callable[[Path], object]:
    """A folder where a file should be."""

    def spoil(run: Path) -> None:
        (run / name).unlink()
        (run / name).mkdir()

    return spoil


def file(name: str) -> Callable[[Path], object]:
    """A file where a folder should be."""

    def spoil(run: Path) -> None:
        shutil.rmtree(run / name)
        (run / name).write_text("x")

    return spoil


DAMAGES: dict[str, Callable[[Path], object]] = {
    "not UTF-8": lambda run: (run / "record.json").write_bytes(b'{"version": 1, "run": "\xff"}'),
    "nested": lambda run: (run / "record.json").write_bytes(b'{"version": 1, "x": ' + b"[" * 100_000),
    "no spec": key("spec", None),
    "episodes": key("episodes", "x"),
    "table of garbage": lambda run: (run / "operations.parquet").write_bytes(b"x" * 99),
    "table a folder": folder("snapshots.parquet"),
    "record a folder": folder("record.json"),
    "logs a file": file("logs"),
    "profiles a file": file("profiles"),
    "readbacks a file": file("readbacks"),
    "no variant": column("operations", "variant", None, pa.string()),
    "variant a list": column("operations", "variant", [1]),
    "no time": column("operations", "due_s", float("nan")),
    "latency no number": column("probes", "latency_ms", float("nan")),
    "labels null": column("snapshots", "labels", None, pa.string()),
    "labels odd": column("snapshots", "labels", "odd"),
    "series at no time": column("series", "at_s", float("nan")),
}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound run."""
    return fabricate(tmp_path_factory.mktemp("original"), Recipe(phases_s=(2, 2, 2))).path


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_record_is_one_sentence(
    original: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    """judge, report, compare and list: a verdict or one line on standard error, never a traceback of ours."""
    runs = tmp_path / "circuit-breaker"
    damaged, sound = runs / original.name, runs / f"{original.name}-sound"
    shutil.copytree(original, damaged)
    shutil.copytree(original, sound)
    DAMAGES[damage](damaged)
    for words in (["judge", str(damaged)], ["report", str(damaged)], ["compare", str(damaged), str(sound)]):
        with pytest.raises(SystemExit) as ended:
            main.main([*words, "--reports", str(tmp_path)])
        said = capsys.readouterr().err
        assert "unforeseen" not in said, words
        assert ended.value.code in (0, 1, 2) or (said.startswith("lab: ") and said.count("\n") == 1), (words, said)
    with pytest.raises(SystemExit):
        main.main(["list", "--runs", "--reports", str(tmp_path)])
    listed = capsys.readouterr()
    assert "unforeseen" not in listed.err
    assert sound.name in " ".join(listed.out.split()).replace(" ", "") or sound.name[:20] in listed.out
