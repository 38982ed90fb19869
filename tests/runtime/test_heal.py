import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from run_ids import fresh

from lab.observe.marks import left_open
from lab.runtime import journal, outside, processes
from lab.runtime.heal import NEWBORN_S, dead_runs, heal

pytestmark = pytest.mark.e2e

needs_proc = pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc on this system")


def write_journal(runs, *entries):
    """The folder of a run with a journal as the run would have written it."""
    folder = runs / fresh("heal")
    folder.mkdir(parents=True)
    (folder / "journal.jsonl").write_text("".join(json.dumps({"at": 1.0, **entry}) + "\n" for entry in entries))
    return folder


def test_where_no_run_was_there_is_nothing_to_heal(tmp_path):
    """Without a folder of runs, or with folders that are none, nothing is touched."""
    assert heal(tmp_path / "none") == []
    (tmp_path / "photos").mkdir()
    assert heal(tmp_path) == []
    assert (tmp_path / "photos").exists()


def test_a_run_that_is_just_beginning_is_left_alone(tmp_path):
    """A run that has written nothing yet is left alone, until it is old enough to be dead."""
    folder = write_journal(tmp_path)
    assert heal(tmp_path) == [f"run {folder.name}: is just beginning, left alone"]
    old = time.time() - NEWBORN_S - 1
    os.utime(folder, (old, old))
    assert heal(tmp_path) == [f"run {folder.name}: its lab is gone, its data are removed"]
    assert not folder.exists()


def test_a_live_run_is_left_alone(tmp_path):
    """A run whose lab is alive, by id and start, is named and keeps its folder."""
    me = processes.look(os.getpid())
    folder = write_journal(tmp_path, {"kind": "run begins", "pid": me.pid, "started": me.started})
    assert heal(tmp_path) == [f"run {folder.name}: its lab is alive (process {me.pid}), left alone"]
    assert folder.exists()


def test_a_lab_whose_id_is_used_again_is_dead(tmp_path):
    """A process that has the lab's id and another start is not the lab, and is left alone too."""
    folder = write_journal(
        tmp_path,
        {"kind": "run begins", "pid": os.getpid(), "started": "earlier"},
        {"kind": "process started", "name": "payments", "pid": os.getpid(), "started": "earlier"},
        {"kind": "process started", "name": "odd", "pid": -1, "started": ""},
        {"kind": "fault in", "number": 1, "what": "silence"},
        {"kind": "fault in", "number": 2, "what": "latency"},
        {"kind": "fault out", "number": 1, "what": "silence"},
    )
    assert heal(tmp_path) == [
        f'run {folder.name}: the fault "latency" was in force; it went with its processes',
        f"run {folder.name}: its lab is gone, its data are removed",
    ]
    assert heal(tmp_path) == []


def test_data_that_cannot_be_removed_are_told(tmp_path, monkeypatch):
    """A folder that stays although it was to be removed is named, with what to do."""
    folder = write_journal(tmp_path, {"kind": "run begins", "pid": 1, "started": "earlier"})
    monkeypatch.setattr(shutil, "rmtree", lambda path, ignore_errors: None)
    assert heal(tmp_path) == [f"run {folder.name}: {folder} cannot be removed; remove it as the user that owns it"]


def test_a_folder_outside_goes_with_its_run_and_no_other(tmp_path):
    """Servers of another user have their data there: it is found by its name, and a link is followed nowhere."""
    folder = write_journal(tmp_path / "runs", {"kind": "run begins", "pid": 1, "started": "earlier"})
    made, kept, precious = outside.make(folder.name), outside.make("another"), tmp_path / "precious"
    precious.mkdir()
    link = outside.HOME / f"chaos-lab-{folder.name}-linklink"
    link.symlink_to(precious)
    try:
        assert heal(tmp_path / "runs") == [f"run {folder.name}: its lab is gone, its data are removed"]
        assert [each.exists() for each in (made, kept, precious)] == [False, True, True]
    finally:
        link.unlink()
        kept.rmdir()


ODD = [
    {"kind": "process started"},
    {"kind": "process started", "pid": "1"},
    {"kind": "process started", "pid": True},
    {"kind": "process started", "pid": [1]},
    {"kind": "run begins"},
    {"kind": "fault out", "number": []},
    {"kind": "annotation opens", "count": 1},
    {"kind": "annotation ended", "count": {}},
]


@pytest.mark.parametrize(
    "odd", [*map(json.dumps, ODD), "[" * 100_000, '{"at": 1' + "0" * 400 + ', "kind": "x"}', "", "1"]
)
def test_an_odd_line_is_skipped_and_told(tmp_path, odd):
    """One line kept heal from a run, heal from every other, and every run from beginning, since each heals first."""
    folder = write_journal(
        tmp_path,
        {"kind": "run begins", "pid": 1, "started": "earlier"},
        {"kind": "fault in", "number": 1, "what": "down"},
    )
    line = odd.replace("{", '{"at": 1, ', 1) if odd.startswith('{"kind') else odd
    file = folder / "journal.jsonl"
    file.write_text(f"{line}\n{file.read_text()}")
    assert dead_runs(tmp_path) == [folder.name]
    assert left_open(journal.read(file)) == []
    assert heal(tmp_path) == [
        f"run {folder.name}: {sentence}"
        for sentence in (
            "its journal's line 1 is no entry of a journal, skipped",
            'the fault "down" was in force; it went with its processes',
            "its lab is gone, its data are removed",
        )
    ]


def test_many_odd_lines_are_counted(tmp_path):
    """A journal of nothing but noise is told of in four sentences."""
    folder = write_journal(
        tmp_path, {"kind": "run begins", "pid": 1}, *([{"kind": "process started"}] * 9), {"kind": "x"}
    )
    said = heal(tmp_path)
    assert [sentence.partition(": ")[2] for sentence in said[2:5]] == [
        "its journal's line 4 is no entry of a journal, skipped",
        "6 more lines of its journal are none either",
        "its lab is gone, its data are removed",
    ]
    assert not folder.exists()


def test_a_journal_that_cannot_be_read_keeps_heal_from_no_other_run(tmp_path):
    """A folder in place of a journal: that run is nobody's, and the others are healed."""
    strange = tmp_path / "a-strange-one"
    (strange / "journal.jsonl").mkdir(parents=True)
    folder = write_journal(tmp_path, {"kind": "run begins", "pid": 1})
    assert heal(tmp_path) == [
        f"run {strange.name}: is just beginning, left alone",
        f"run {folder.name}: its lab is gone, its data are removed",
    ]


ELSEWHERE = "cannot be seen from here, left alone; heal it there"


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        ({"machine": "box 5f"}, f"its lab ran on another machine or in a container (box 5f) and {ELSEWHERE}"),
        ({"namespace": "1"}, f"its lab ran beside this one, in a container or around it and {ELSEWHERE}"),
    ],
    ids=["machine", "namespace"],
)
def test_what_runs_where_its_processes_cannot_be_seen_is_left_alone(tmp_path, other, sentence):
    """A dev container shares the clone with its host: each took the other's live run for dead, and killed it."""
    started = processes.look(os.getpid()).started
    begun = {"kind": "run begins", "pid": 2**22 + 1, "started": started, **processes.here(), **other}
    folder = write_journal(tmp_path, begun)
    assert dead_runs(tmp_path) == []
    assert heal(tmp_path) == [f"run {folder.name}: {sentence}"]
    assert folder.exists()


@needs_proc
def test_what_ran_in_a_namespace_before_the_machine_started_again_is_dead(tmp_path):
    """No process outlives that, whatever namespace it was in."""
    begun = {"kind": "run begins", "pid": 1, "started": "an-earlier-boot:5", **processes.here(), "namespace": "1"}
    folder = write_journal(tmp_path, begun)
    assert dead_runs(tmp_path) == [folder.name]
    assert heal(tmp_path) == [f"run {folder.name}: its lab is gone, its data are removed"]


@needs_proc
@pytest.mark.e2e
@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="a namespace can be made by root alone")
def test_a_lab_in_a_container_is_left_alone(tmp_path):
    """The journal of a real run in a namespace of process ids of its own, where its lab has an id of there."""
    code = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom lab.runtime.supervisor import Supervisor\n"
        "async def main():\n"
        "    async with Supervisor.open(Path(sys.argv[1]) / sys.argv[2], sys.argv[2]):\n"
        "        print('up', flush=True)\n        await asyncio.to_thread(sys.stdin.read)\nasyncio.run(main())\n"
    )
    run = fresh("inside")
    words = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", code, str(tmp_path), run]
    child = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "up\n"
    try:
        assert dead_runs(tmp_path) == []
        (sentence,) = heal(tmp_path)
        assert sentence.endswith(ELSEWHERE)
        assert (tmp_path / run / "journal.jsonl").exists()
    finally:
        child.communicate()
    assert child.returncode == 0
    assert not (tmp_path / run).exists()
