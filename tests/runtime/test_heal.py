import json
import os
import shutil
import time

from run_ids import fresh

from lab.runtime import processes
from lab.runtime.heal import NEWBORN_S, heal


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
