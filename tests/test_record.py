"""A run comes back from disk as it was written, and whatever is wrong with it is told in one sentence."""

from __future__ import annotations

import json
import math
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from report.fabricate import Recipe, fabricate

from lab.errors import RecordError
from lab.record import (
    RECORD_VERSION,
    TABLES,
    Run,
    point_to_latest,
    read_run,
    runs_of,
    with_judgement,
    write_record,
    write_table,
)

ROOT = Path(__file__).resolve().parents[1]
SHORT = Recipe(phases_s=(2, 2, 2), trials=2)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of two variants and two trials."""
    return fabricate(tmp_path_factory.mktemp("original"), SHORT)


@pytest.fixture
def run(original: Run, tmp_path: Path) -> Run:
    """That run, in a folder of the test."""
    path = tmp_path / "circuit-breaker" / original.path.name
    shutil.copytree(original.path, path)
    return read_run(path)


def edit(run: Run, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the record as somebody with an editor would."""
    file = run.path / "record.json"
    data = json.loads(file.read_text())
    change(data)
    file.write_text(json.dumps(data))


def sentence(call: Callable[[], object]) -> str:
    """What is said of a record that cannot be read: one line that names the file."""
    with pytest.raises(RecordError) as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text
    assert "Traceback" not in text
    return text


# --- round trip -------------------------------------------------------------------------------------------------


def test_a_record_comes_back_as_it_was(run: Run, tmp_path: Path) -> None:
    """Every field survives, nested ones too, and writing what was read changes no byte."""
    for name, source in (("copy", run.path), ("copy of the copy", tmp_path / "copy")):
        write_record(tmp_path / name, read_run(source).record)
        assert read_run(tmp_path / name).record == run.record
    first, second = ((tmp_path / name / "record.json").read_bytes() for name in ("copy", "copy of the copy"))
    assert first == second


def test_operations_come_back_by_variant_trial_and_phase(run: Run) -> None:
    """Each operation is in exactly one variant, trial and phase, sorted by due time."""
    whole = sum(len(run.operations(variant, trial)) for variant in ("off", "on") for trial in (1, 2))
    assert whole == run.table("operations").num_rows > 1000
    parts = [run.operations("on", 2, phase) for phase in ("baseline", "fault", "recovery")]
    assert sum(map(len, parts)) == len(run.operations("on", 2))
    assert all((part.due_s[1:] >= part.due_s[:-1]).all() for part in parts)
    assert len(run.operations("on", 3)) == len(run.operations("neither")) == 0


def test_nothing_is_told_apart_from_something(tmp_path: Path) -> None:
    """No answer is NaN and status 0, no text is None, and no operations at all are no rows."""
    row = {"trial": 1, "variant": "on", "phase": "fault", "n": 0, "due_s": 0.5, "start_s": 0.5}
    write_table(tmp_path, "operations", [{**row, "operation": "GET /", "outcome": "info"}])
    operations = Run(tmp_path, None).operations("on")  # type: ignore[arg-type]
    assert math.isnan(operations.end_s[0])
    assert math.isnan(operations.latency_ms[0])
    assert math.isnan(operations.naive_latency_ms[0])
    assert (operations.status[0], operations.error[0], operations.key[0]) == (0, None, None)
    assert not operations.ok.any()
    for name in TABLES:
        assert Run(tmp_path / "empty", None).table(name).num_rows == 0  # type: ignore[arg-type]


def test_the_rest_of_a_run_is_found(run: Run) -> None:
    """Probes in order of time, snapshots by edge, readbacks, episodes, folders."""
    probes = run.probes("off", 1)
    assert [probe.at_s for probe in probes] == sorted(probe.at_s for probe in probes)
    assert {probe.target for probe in run.probes("off", 1, "exchange->payments")} == {"exchange->payments"}
    assert run.probes("off", 1, "elsewhere") == []
    assert run.snapshot("on", "fault", "start", "exchange")
    assert run.snapshot("on", "fault", "start", "nobody") == []
    assert run.readbacks("on")["charges"]
    assert run.readbacks("on", 9) == {}
    assert run.episode("on", 2)
    assert run.episode("on", 3) is None
    assert run.logs.is_dir()
    assert run.profiles.is_dir()


def test_runs_are_listed_oldest_first_and_only_whole_ones(tmp_path: Path) -> None:
    """Neither `latest` nor a run without its record is listed; an experiment without runs has none."""
    for name in ("20260102", "20260101"):
        fabricate(tmp_path, replace(SHORT, run=name, trials=1))
    (tmp_path / "circuit-breaker" / "20260103" / "logs").mkdir(parents=True)
    point_to_latest(tmp_path / "circuit-breaker" / "20260102")
    assert [path.name for path in runs_of(tmp_path, "circuit-breaker")] == ["20260101", "20260102"]
    assert runs_of(tmp_path, "other") == []


def test_latest_is_moved(tmp_path: Path) -> None:
    """`latest` leads to the run that was named last, also where one was broken off while moving it."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / f".latest-{name}").symlink_to("left over")
        point_to_latest(tmp_path / name)
        assert (tmp_path / "latest").resolve() == (tmp_path / name).resolve()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "latest"]


# --- what is wrong with a record --------------------------------------------------------------------------------


def test_latest_that_cannot_be_a_link_is_told_and_breaks_nothing(tmp_path: Path) -> None:
    """A folder of that name, made by hand or by a copy that follows links, costs a finished run nothing."""
    (tmp_path / "latest" / "kept").mkdir(parents=True)
    (tmp_path / "a").mkdir()
    sentence = point_to_latest(tmp_path / "a")
    assert sentence == f"{tmp_path / 'latest'} could not be made a link to this run (it is a folder; move it away)"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "kept", "latest"]


def test_a_folder_without_a_record_says_so(tmp_path: Path) -> None:
    """An empty folder is no run; one with logs is a run that goes on or was killed."""
    assert "no run there" in sentence(lambda: read_run(tmp_path / "nothing"))
    (tmp_path / "killed" / "logs").mkdir(parents=True)
    assert "still going on, or it was killed" in sentence(lambda: read_run(tmp_path / "killed"))


def test_a_torn_record_is_damaged(run: Run) -> None:
    """Cut off anywhere, it is told as damaged, with its name, and never read in part."""
    file = run.path / "record.json"
    whole = file.read_bytes()
    for length in (0, 1, 2, 100, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:length])
        said = sentence(lambda: read_run(run.path))
        assert str(file) in said
        assert "not valid JSON" in said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data.update(version=RECORD_VERSION + 1), "this lab reads up to 1: update it"),
        (lambda data: data.update(version=0), "read it with an older lab"),
        (lambda data: data.update(version="1"), "names no version"),
        (lambda data: data.update(version=True), "names no version"),
        (lambda data: data.pop("version"), "names no version"),
        (lambda data: data.pop("spec"), "missing required field `spec`"),
        (lambda data: data.update(seed="seven"), "Expected `int`, got `str` - at `$.seed`"),
        (lambda data: data["judgement"].update(verdict="MAYBE"), "Invalid enum value 'MAYBE'"),
        (lambda data: data.update(trials=0), "it has 0 trials"),
        (lambda data: data["spec"].update(variants=[]), "its spec has no variants"),
        (lambda data: data["spec"].update(phases=[]), "its spec has no phases"),
    ],
)
def test_an_edited_record_is_told_by_what_is_wrong(
    run: Run, change: Callable[[dict[str, Any]], object], words: str
) -> None:
    """Newer, older, and edited records: the file, the field and what to do."""
    edit(run, change)
    said = sentence(lambda: read_run(run.path))
    assert str(run.path) in said
    assert words in said


def test_a_record_that_is_no_object_is_no_record(run: Run) -> None:
    """Valid JSON of another kind is told apart from torn JSON."""
    (run.path / "record.json").write_text("[1, 2]")
    assert "names no version" in sentence(lambda: read_run(run.path))


def test_a_record_of_a_later_kind_of_field_is_read(run: Run) -> None:
    """A field that this lab does not know is passed over, and one with a default may be missing."""

    def change(data: dict[str, Any]) -> None:
        data["colour"] = "green"
        del data["notes"]
        del data["spec"]["invariants"][0]["broken_in"]

    edit(run, change)
    assert read_run(run.path).record.notes == []


def test_a_record_that_cannot_be_opened_is_told(run: Run) -> None:
    """A folder where the file should be."""
    (run.path / "record.json").rename(run.path / "elsewhere")
    (run.path / "record.json").mkdir()
    assert "Is a directory" in sentence(lambda: read_run(run.path))


def test_a_record_that_cannot_be_written_is_told(run: Run) -> None:
    """A folder in its place, or a file in that of the run's folder: the place and the reason; no draft stays."""
    other = run.path.parent / "other"
    (other / "record.json").mkdir(parents=True)
    for place in (other, run.path / "record.json"):
        assert "cannot be written there" in sentence(lambda place=place: write_record(place, run.record))
    assert [file.name for file in other.iterdir()] == ["record.json"]
    assert read_run(run.path).record == run.record


# --- what is wrong with a table ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_table_is_told_or_whole(run: Run, seed: int) -> None:
    """Cut off or with bytes turned over, a table is refused in a sentence, or has not lost a single value."""
    file = run.path / "operations.parquet"
    whole, before = bytearray(file.read_bytes()), run.table("operations")
    rng = random.Random(seed)
    if seed % 4 == 0:
        whole = whole[: rng.randrange(len(whole))]
    else:
        for _ in range(seed):
            whole[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
    file.write_bytes(whole)
    said, after = "", None
    try:
        after = read_run(run.path).table("operations")
    except RecordError as error:
        said = str(error)
    if after is None:
        assert said.startswith(f"{file}: cannot be read as Parquet")
        assert "\n" not in said
    else:
        assert after.to_pylist() == before.to_pylist()


def test_a_table_that_lacks_a_column_is_told(run: Run) -> None:
    """A Parquet file of something else is not taken for operations."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"trial": [1], "due_s": [0.0]}), run.path / "operations.parquet")
    said = sentence(lambda: run.operations("on"))
    assert "has no column variant, phase" in said


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("due_s", ["soon"], "holds values of another type"),
        ("outcome", [[1]], "holds values of another type"),
        ("variant", [None], "lacks values of variant"),
    ],
)
def test_a_table_with_other_values_is_told(run: Run, column: str, values: list[Any], words: str) -> None:
    """Columns of another type, or without the values that every row has, are refused when the table is opened."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    whole = run.table("operations").slice(0, 1)
    place = whole.schema.get_field_index(column)
    pq.write_table(whole.set_column(place, column, pa.array(values)), run.path / "operations.parquet")
    assert words in sentence(lambda: run.operations("on"))


def test_a_folder_where_a_table_should_be_is_told(run: Run) -> None:
    """Arrow would read the files in it."""
    (run.path / "probes.parquet").unlink()
    (run.path / "probes.parquet").mkdir()
    assert "is no file" in sentence(lambda: run.probes("on"))


@pytest.mark.parametrize("data", [b'{"version": "\xff"}', b"[" * 100_000, b"\xff\xfe"])
def test_a_record_that_is_not_json_is_told(run: Run, data: bytes) -> None:
    """Not UTF-8, or nested deeper than a stack."""
    (run.path / "record.json").write_bytes(data)
    assert "record.json: " in sentence(lambda: read_run(run.path))


def test_a_damaged_readback_is_told(run: Run) -> None:
    """What the services answered is JSON, or is refused."""
    (run.path / "readbacks" / "1-on.json").write_text('{"charges": ')
    assert "1-on.json: cannot be read" in sentence(lambda: run.readbacks("on"))


# --- writers that die -------------------------------------------------------------------------------------------

WRITER = """
import sys
from dataclasses import replace
from pathlib import Path
from lab.record import point_to_latest, read_run, write_record

source, scenario = Path(sys.argv[1]), Path(sys.argv[2])
record = read_run(source).record
print("ready", flush=True)
for number in range(100_000):
    path = scenario / f"run-{number % 50}"
    write_record(path, replace(record, notes=["x" * (number % 7) * 10_000]))
    (path / "index.html").write_text("report")
    point_to_latest(path)
"""


@pytest.mark.e2e
def test_a_killed_writer_leaves_whole_records(run: Run, tmp_path: Path) -> None:
    """kill -9 at any moment: every record is read whole, and `latest` leads to a run with record and report."""
    scenario = tmp_path / "killed"
    for delay_s in (0.001, 0.01, 0.03, 0.06, 0.1, 0.2):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, run.path, scenario],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
        )
        assert writer.stdout
        assert writer.stdout.readline() == b"ready\n"
        end_s = time.monotonic() + delay_s
        while time.monotonic() < end_s:  # a reader at the same time
            for path in runs_of(tmp_path, "killed"):
                assert read_run(path).record.run == run.record.run
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        for path in runs_of(tmp_path, "killed"):
            assert read_run(path).record.run == run.record.run
        latest = scenario / "latest"
        if latest.is_symlink():
            assert read_run(latest).record.run == run.record.run
            assert (latest / "index.html").is_file()
    assert (scenario / "latest").is_symlink()


def test_judging_changes_only_the_judgement(run: Run) -> None:
    """Everything else of the record stays."""
    assert run.record.judgement
    changed = with_judgement(run.record, replace(run.record.judgement, verdict="UNKNOWN"))
    assert replace(changed, judgement=run.record.judgement) == run.record


@pytest.mark.e2e
def test_reading_records_needs_neither_arrow_nor_numpy() -> None:
    """`lab list` reads the catalogue and every last record without the libraries that take long to import."""
    code = "import sys, lab.catalogue as c; c.read_all(); print(sorted({'numpy', 'pyarrow'} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert re.sub(r"\s", "", said.stdout) == "[]"
