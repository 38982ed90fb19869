"""The engine that CI starts is stopped, and no other process that has its id by now."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="without /proc there is no engine of ours")


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    """A process that may have the id which an engine had."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield child
    child.kill()
    child.communicate()


def down(folder: Path, said: str) -> Path:
    """`.ci/engine down` where this stands in the file with the engine's id; gives that file."""
    return engine(folder, said, "down")


def engine(folder: Path, said: str, word: str) -> Path:
    """`.ci/engine` in a folder of its own."""
    (folder / ".ci").mkdir()
    shutil.copy2(ROOT / ".ci" / "engine", folder / ".ci")
    file = folder / ".lab" / "ci" / "dockerd.pid"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(said)
    env = {**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
    subprocess.run([folder / ".ci" / "engine", word], check=False, capture_output=True, timeout=60, env=env)
    return file


@pytest.mark.parametrize("began", ["", " 1"], ids=["of an earlier lab", "another start"])
def test_a_stale_file_kills_nothing(tmp_path: Path, other: subprocess.Popen[bytes], began: str) -> None:
    """Whatever had the id was killed."""
    file = down(tmp_path, f"{other.pid}{began}\n")
    assert other.poll() is None
    assert not file.exists()


def test_its_own_engine_is_stopped(tmp_path: Path, other: subprocess.Popen[bytes]) -> None:
    """By id and start."""
    began = Path(f"/proc/{other.pid}/stat").read_text().rpartition(") ")[2].split()[19]
    threading.Thread(target=other.wait, daemon=True).start()  # who is not awaited stays, as a zombie
    file = down(tmp_path, f"{other.pid} {began}\n")
    assert other.wait(30) == -15
    assert not file.exists()


@pytest.mark.parametrize("began", ["", " 1"], ids=["of an earlier lab", "another start"])
def test_a_stale_file_goes_when_up_begins(tmp_path: Path, other: subprocess.Popen[bytes], began: str) -> None:
    """With the mark of its Swarm: else `down` would leave, and stop, what a person had started meanwhile."""
    for program in ("bin/docker", ".venv/bin/python"):
        (tmp_path / program).parent.mkdir(parents=True)
        (tmp_path / program).write_text("#!/bin/sh\nexit 0\n")  # an engine answers, and it is somebody else's
        (tmp_path / program).chmod(0o755)
    (tmp_path / ".lab" / "ci").mkdir(parents=True)
    (tmp_path / ".lab" / "ci" / "swarm").touch()
    file = engine(tmp_path, f"{other.pid}{began}\n", "up")
    assert other.poll() is None
    assert list(file.parent.iterdir()) == []


@pytest.mark.parametrize("words", [[], ["upp"]])
def test_a_word_that_it_does_not_know_is_answered_with_those_it_does(words: list[str]) -> None:
    """And nothing is started or stopped."""
    done = subprocess.run([ROOT / ".ci" / "engine", *words], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == "usage: .ci/engine up | swarm | down\n"
