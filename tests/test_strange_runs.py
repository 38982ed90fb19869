"""A run from elsewhere reads and writes nothing outside of its folder, and costs no more than its size."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from report.fabricate import Recipe, fabricate

from lab.cli import main
from lab.errors import RecordError
from lab.record import TABLES, Run, read_run

SHORT = Recipe(phases_s=(2, 2, 2), trials=1)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """An honest run."""
    return fabricate(tmp_path_factory.mktemp("original"), SHORT)


@pytest.fixture
def run(original: Run, tmp_path: Path) -> Path:
    """The folder of that run, below that of the test."""
    path = tmp_path / "reports" / "circuit-breaker" / original.path.name
    shutil.copytree(original.path, path)
    return path


@pytest.mark.parametrize("command", ["judge", "report"])
@pytest.mark.parametrize("name", ["record.json.new", "summary.md.new", "index.html.new", "summary.md", "logs/1-on"])
def test_a_run_with_a_link_is_refused(run: Path, tmp_path: Path, name: str, command: str) -> None:
    """`summary.md.new -> ../../../.bashrc` with a fitting question ran a command at the next shell."""
    precious = tmp_path / "precious"
    precious.write_text("mine")
    link = run / name
    link.parent.mkdir(exist_ok=True)
    if link.is_dir():
        shutil.rmtree(link)
    link.unlink(missing_ok=True)
    link.symlink_to(precious)
    done = CliRunner().invoke(main, [command, str(run)])
    assert done.exit_code == 3, done.output
    assert isinstance(done.exception, SystemExit | RecordError)
    assert precious.read_text() == "mine"
    with pytest.raises(RecordError, match="is a link, which no run of the lab has"):
        read_run(run)


def test_a_pipe_is_refused_before_it_is_waited_for(run: Path) -> None:
    """Reading it would never end."""
    os.mkfifo(run / "logs.pipe")
    with pytest.raises(RecordError, match="neither a file nor a folder"):
        read_run(run)


def edited(run: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the record as somebody with an editor would."""
    file = run / "record.json"
    data = json.loads(file.read_text())
    change(data)
    file.write_text(json.dumps(data))


STRANGE = ["../../../../etc/passwd", "/etc/passwd", "..", "a/b", "a\\b", "", "a\0b", "a\nb", "x" * 101]


@pytest.mark.parametrize("name", STRANGE)
@pytest.mark.parametrize(
    "change",
    [
        lambda data, name: data["spec"]["variants"][0].update(name=name),
        lambda data, name: data["spec"]["phases"][0].update(name=name),
        lambda data, name: data["spec"]["members"][0].update(name=name),
        lambda data, name: data["spec"].update(profile=[name]),
        lambda data, name: data["spec"].update(name=name),
        lambda data, name: data["episodes"][0].update(variant=name),
        lambda data, name: data.update(run=name),
    ],
    ids=["variant", "phase", "member", "profile", "scenario", "episode", "id"],
)
def test_a_name_that_is_no_part_of_a_path_is_refused(run: Path, name: str, change: Callable[..., object]) -> None:
    """Names are parts of the paths of readbacks, logs and profiles."""
    edited(run, lambda data: change(data, name))
    with pytest.raises(RecordError, match="cannot be part of a file's name"):
        read_run(run)


@pytest.mark.parametrize("trials", [101, 1_000_000_000])
def test_trials_are_as_many_as_on_the_command_line(run: Path, trials: int) -> None:
    """Judging each of 1,000,000,000 ran until it was killed."""
    edited(run, lambda data: data.update(trials=trials))
    with pytest.raises(RecordError, match="more than 100 trials"):
        read_run(run)


def test_a_phase_ends(run: Path) -> None:
    """A chart has a place for each second."""
    edited(run, lambda data: data["spec"]["phases"][0].update(lasts_s=1e15))
    with pytest.raises(RecordError, match="lasts 1e\\+15 s"):
        read_run(run)


def test_many_rows_in_few_bytes_are_refused_unread(run: Path) -> None:
    """3,000,000 equal rows were 179 kB, and took 2.3 GB."""
    file = run / "snapshots.parquet"
    one = read_run(run).table("operations").slice(0, 1)
    pq.write_table(one.take(pa.array([0] * 3_000_000)), run / "operations.parquet", compression="zstd")
    assert (run / "operations.parquet").stat().st_size < 1_000_000
    with pytest.raises(RecordError, match="has 3,000,000 rows in"):
        read_run(run).table("operations")
    assert read_run(run).table("snapshots").schema.names == TABLES["snapshots"].names, file


@pytest.mark.parametrize("rows", [1, 20_000])
def test_long_texts_in_few_bytes_are_refused(run: Path, rows: int) -> None:
    """One of 100 MB, and one of 20 kB in each row: a dictionary has it once, a table written out in each row."""
    text = "x" * (100_000_000 if rows == 1 else 20_000)
    one = read_run(run).table("operations").slice(0, 1)
    place = one.schema.get_field_index("response")
    long = one.set_column(place, one.schema.field(place), pa.array([text], one.schema.field(place).type))
    many = pa.table(
        {
            name: pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), long[name].combine_chunks())
            if name == "response"
            else long[name].take(pa.array([0] * rows))
            for name in long.column_names
        }
    )
    pq.write_table(many, run / "operations.parquet", compression="zstd")
    with pytest.raises(RecordError, match="in memory"):
        read_run(run).table("operations")


def test_an_honest_run_is_read_as_it_was_written(original: Run, run: Path) -> None:
    """Each table has the same rows and types as without the look at its size."""
    for name in TABLES:
        file = original.path / f"{name}.parquet"
        if file.exists():
            assert read_run(run).table(name).equals(pq.read_table(file).select(TABLES[name].names)), name
