"""
Undoes what a run left behind, however it died: processes, paused ones too, its data and its faults.

It touches only processes that are surely the run's: started with its mark, working in its folder, or listed in its
journal by id and start, so that an id used again by somebody else is never harmed.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from lab.runtime import leash, processes
from lab.runtime.journal import JOURNAL, Entry, read

NEWBORN_S = 60.0  # a run with nothing in its journal may be about to write


def heal(state_root: Path) -> list[str]:
    """Clean up after every dead run below `state_root` (`.lab/runs`); a sentence for each thing done or left alone.

    Done twice, the second time finds nothing.
    """
    if not state_root.is_dir():
        return []
    folders = sorted(journal.parent for journal in state_root.absolute().glob(f"*/{JOURNAL}"))
    return [sentence for folder in folders for sentence in _heal_run(folder)]


def dead_runs(state_root: Path) -> list[str]:
    """Runs below `state_root` that have begun and whose lab is gone."""
    folders = sorted(journal.parent for journal in state_root.absolute().glob(f"*/{JOURNAL}"))
    begun = {folder.name: _begun(read(folder / JOURNAL)) for folder in folders}
    return [run for run, entry in begun.items() if entry and not _is(entry)]


def _begun(entries: Sequence[Entry]) -> Entry | None:
    return next((entry for entry in entries if entry.kind == "run begins"), None)


def _heal_run(folder: Path) -> list[str]:
    run, entries = folder.name, read(folder / JOURNAL)
    begun = _begun(entries)
    if begun is None and time.time() - folder.stat().st_mtime < NEWBORN_S:
        return [f"run {run}: is just beginning, left alone"]
    if begun and _is(begun):
        return [f"run {run}: its lab is alive (process {begun.facts.get('pid')}), left alone"]
    said = [f"run {run}: {sentence}" for sentence in [*_end_processes(run, folder, entries), *_faults(entries)]]
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        return [*said, f"run {run}: {folder} cannot be removed; remove it as the user that owns it"]
    return [*said, f"run {run}: its lab is gone, its data are removed"]


def _end_processes(run: str, folder: Path, entries: Sequence[Entry]) -> list[str]:
    names = {entry.facts["pid"]: entry.facts.get("name") for entry in entries if entry.kind == "process started"}
    listed = [int(str(entry.facts["pid"])) for entry in entries if entry.kind == "process started" and _is(entry)]
    said = []
    for pid in dict.fromkeys([*listed, *leash.survivors(run, folder)]):
        if process := processes.look(pid):
            how = "paused " if process.state == "T" else ""
            said.append(f"killed {how}process {pid} ({names.get(pid) or 'started by one of its processes'})")
    stubborn = leash.end(run, folder, listed)
    return said + [f"process {pid} cannot be killed; it belongs to another user" for pid in stubborn]


def _faults(entries: Sequence[Entry]) -> list[str]:
    """Faults that were in force when the lab died: all of them lived in processes that are gone now."""
    out = {entry.facts.get("number") for entry in entries if entry.kind == "fault out"}
    left = [entry for entry in entries if entry.kind == "fault in" and entry.facts.get("number") not in out]
    return [f'the fault "{entry.facts.get("what")}" was in force; it went with its processes' for entry in left]


def _is(entry: Entry) -> bool:
    """Whether the process that an entry names is still there, and not another with its id."""
    pid, started = entry.facts.get("pid"), entry.facts.get("started")
    if not isinstance(pid, int) or pid <= 0:
        return False
    process = processes.look(pid)
    return process is not None and process.started == started
