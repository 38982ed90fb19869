"""Folders of runs whose lab died before it wrote the record, and of those that are still at work."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.kit.places import ROOT
from lab.record.unfinished import MARK, Unfinished, sweep

LAB = """
import sys
from collections.abc import Callable
from pathlib import Path
from lab.record.unfinished import Unfinished
folder = Path(sys.argv[1])
unfinished = Unfinished(folder)
(folder / "logs").mkdir()
print("at work", flush=True)
sys.stdin.read()
"""


SWEEP = "import sys, pathlib, lab.record.unfinished as it; print(it.sweep(pathlib.Path(sys.argv[1])))"


def at_work(folder: Path) -> subprocess.Popen[str]:
    """A lab in small that is in the middle of a run."""
    command = [sys.executable, "-c", LAB, str(folder)]
    lab = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert lab.stdout is not None
    assert lab.stdout.readline() == "at work\n"
    return lab


def test_what_a_dead_lab_left_is_removed_and_a_live_one_is_left_alone(tmp_path: Path) -> None:
    """The lock tells them apart, also from another process; the folder of an experiment that is empty then goes too."""
    live, dead = tmp_path / "cache-stampede" / "r-1", tmp_path / "circuit-breaker" / "r-2"
    labs = [at_work(live), at_work(dead)]
    labs[1].kill()
    labs[1].wait()
    assert sweep(tmp_path) == [f"run r-2: had no record yet, its folder in {tmp_path} is removed"]
    assert [path.name for path in tmp_path.iterdir()] == ["cache-stampede"]
    assert (live / "logs").is_dir()
    assert sweep(tmp_path) == []
    labs[0].kill()
    labs[0].wait()
    assert len(sweep(tmp_path)) == 1


def test_a_run_that_has_its_record_stays(tmp_path: Path) -> None:
    """A lab that died after the record was written, or before the mark was removed, leaves a run that can be read."""
    folder = tmp_path / "circuit-breaker" / "r"
    unfinished = Unfinished(folder)
    (folder / "record.json").touch()
    assert (folder / MARK).exists()
    assert unfinished._mark is not None
    os.close(unfinished._mark)
    assert sweep(tmp_path) == []
    assert [path.name for path in folder.iterdir()] == ["record.json"]


def test_a_finished_run_bears_no_mark(tmp_path: Path) -> None:
    """Once the record is there nothing tells of the time before."""
    folder = tmp_path / "circuit-breaker" / "r"
    unfinished = Unfinished(folder)
    unfinished.finish()
    unfinished.finish()
    assert list(folder.iterdir()) == []
    assert sweep(tmp_path) == []
    with pytest.raises(FileExistsError):
        Unfinished(folder)


def lay_link(mark: Path) -> None:
    """Lay a link to a file of somebody's."""
    (mark.parents[2] / "precious").touch()
    mark.symlink_to(mark.parents[2] / "precious")


@pytest.mark.parametrize("lay", [lay_link, os.mkfifo], ids=["link", "pipe"])
def test_a_mark_that_is_no_file_is_left_alone(tmp_path: Path, lay: Callable[[Path], None]) -> None:
    """In a run from elsewhere a pipe was waited for without end, by every run that began from then on."""
    folder = tmp_path / "circuit-breaker" / "r"
    folder.mkdir(parents=True)
    lay(folder / MARK)
    code = (
        "import sys; from pathlib import Path; from lab.record.unfinished import sweep; print(sweep(Path(sys.argv[1])))"
    )
    words = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"
    assert folder.is_dir()


def test_nothing_to_keep_leaves_nothing(tmp_path: Path) -> None:
    """The folder goes, and that of its experiment unless it holds another run."""
    first, second = (Unfinished(tmp_path / "circuit-breaker" / name) for name in "ab")
    first.drop()
    assert [path.name for path in (tmp_path / "circuit-breaker").iterdir()] == ["b"]
    second.drop()
    assert list(tmp_path.iterdir()) == []
