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

from lab.runtime import leash, outside, processes
from lab.runtime.journal import JOURNAL, Entry, look_over

MOST_NOTES = 3  # of lines of one journal
NEWBORN_S = 60.0  # a run with nothing in its journal may be about to write


def heal(state_root: Path) -> list[str]:
    """Clean up after every dead run below `state_root` (`.lab/runs`); a sentence for each thing done or left alone.

    Done twice, the second time finds nothing.
    """
    return [sentence for folder in _folders(state_root) for sentence in _heal_or_say(folder)]


def dead_runs(state_root: Path) -> list[str]:
    """Runs below `state_root` that have begun and whose lab is gone."""
    begun = {folder.name: _begun(_look_over(folder)[0]) for folder in _folders(state_root)}
    return [run for run, entry in begun.items() if entry and not _elsewhere(entry) and not _is(entry)]


def living_runs(state_root: Path) -> list[str]:
    """Runs below `state_root` whose lab is there, as far as that can be seen from here."""
    begun = {folder.name: _begun(_look_over(folder)[0]) for folder in _folders(state_root)}
    return [run for run, entry in begun.items() if entry and (_elsewhere(entry) or _is(entry))]


def _folders(state_root: Path) -> list[Path]:
    return sorted(journal.parent for journal in state_root.absolute().glob(f"*/{JOURNAL}"))


def _look_over(folder: Path) -> tuple[list[Entry], list[int]]:
    """A run's journal; one that cannot be read is that of a run of which nothing is known."""
    try:
        return look_over(folder / JOURNAL)
    except OSError:
        return [], []


def _begun(entries: Sequence[Entry]) -> Entry | None:
    return next((entry for entry in entries if entry.kind == "run begins"), None)


def _elsewhere(begun: Entry) -> str:
    """Where a run began whose processes cannot be seen from here, in words; empty for those of here.

    Journals of earlier labs do not say; theirs are taken to be of here. A machine that has been started again since
    runs none of its former processes, in whatever namespace.
    """
    machine, namespace, here = begun.facts.get("machine"), begun.facts.get("namespace"), processes.here()
    if machine is not None and machine != here["machine"]:
        return f"on another machine or in a container ({machine})"
    if namespace is not None and namespace != here["namespace"] and not processes.before_this_start(_started(begun)):
        return "beside this one, in a container or around it"
    return ""


def _heal_or_say(folder: Path) -> list[str]:
    """Heal a run; what goes wrong with one does not keep the others from it."""
    try:
        return _heal_run(folder)
    except OSError as error:
        if not folder.exists():  # another lab was quicker
            return []
        return [f"run {folder.name}: cannot be healed ({error.strerror}: {error.filename})"]


def _heal_run(folder: Path) -> list[str]:
    run, (entries, odd) = folder.name, _look_over(folder)
    begun = _begun(entries)
    if begun is None and time.time() - folder.stat().st_mtime < NEWBORN_S:
        return [f"run {run}: is just beginning, left alone"]
    if begun and (where := _elsewhere(begun)):
        return [f"run {run}: its lab ran {where} and cannot be seen from here, left alone; heal it there"]
    if begun and _is(begun):
        return [f"run {run}: its lab is alive (process {begun.facts.get('pid')}), left alone"]
    skipped = [f"its journal's line {number} is no entry of a journal, skipped" for number in odd[:MOST_NOTES]]
    if len(odd) > MOST_NOTES:
        skipped.append(f"{len(odd) - MOST_NOTES} more lines of its journal are none either")
    said = [*skipped, *_end_processes(run, folder, entries), *_faults(entries)]
    for each in (*outside.of_run(run), folder):
        shutil.rmtree(each, ignore_errors=True)
    if folder.exists():
        said.append(f"{folder} cannot be removed; remove it as the user that owns it")
    else:
        said.append("its lab is gone, its data are removed")
    return [f"run {run}: {sentence}" for sentence in said]


def _end_processes(run: str, folder: Path, entries: Sequence[Entry]) -> list[str]:
    names = {entry.facts["pid"]: entry.facts.get("name") for entry in entries if entry.kind == "process started"}
    listed = [int(str(entry.facts["pid"])) for entry in entries if entry.kind == "process started" and _is(entry)]
    said = []
    more = outside.of_run(run)
    for pid in dict.fromkeys([*listed, *leash.survivors(run, folder, *more)]):
        if process := processes.look(pid):
            how = "paused " if process.state == "T" else ""
            said.append(f"killed {how}process {pid} ({names.get(pid) or 'started by one of its processes'})")
    stubborn = leash.end(run, folder, listed, more=more)
    return said + [f"process {pid} cannot be killed; it belongs to another user" for pid in stubborn]


def _faults(entries: Sequence[Entry]) -> list[str]:
    """Faults that were in force when the lab died: all of them lived in processes that are gone now."""
    out = {entry.facts.get("number") for entry in entries if entry.kind == "fault out"}
    left = [entry for entry in entries if entry.kind == "fault in" and entry.facts.get("number") not in out]
    return [f'the fault "{entry.facts.get("what")}" was in force; it went with its processes' for entry in left]


def _is(entry: Entry) -> bool:
    """Whether the process that an entry names is still there, and not another with its id."""
    pid = entry.facts.get("pid")
    if not isinstance(pid, int) or pid <= 0:
        return False
    process = processes.look(pid)
    return process is not None and process.started == _started(entry)


def _started(entry: Entry) -> str:
    return str(entry.facts.get("started"))
