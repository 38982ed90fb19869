"""Facts of the machine, the packages and the commit."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from lab.observe import machine as facts


def git(folder: Path, *words: str) -> str:
    """Run git as nobody in particular."""
    who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def test_the_machine_tells_what_it_is() -> None:
    """The facts are those of the machine that the test runs on."""
    here = facts.machine()
    assert here.python == platform.python_version()
    assert here.kernel == os.uname().release
    assert 1 <= here.cores <= (os.cpu_count() or 1)
    assert here.memory_bytes > 100_000_000
    assert here.system
    assert here.cpu
    assert here.load_average_1min is not None


def test_cores_are_those_that_may_be_used() -> None:
    """A process bound to one core counts one."""
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("this system binds no process to a core")
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert facts.machine().cores == 1
    finally:
        os.sched_setaffinity(0, before)


def test_what_a_system_does_not_tell_is_left_plain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without /proc, os-release or sched_getaffinity, as on a Mac, there is still an answer."""
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    (tmp_path / "sysctl").write_text("#!/bin/sh\necho Apple M9\n")
    assert facts.machine().cpu == platform.machine()  # not executable: as good as absent
    (tmp_path / "sysctl").chmod(0o755)
    there = facts.machine()
    assert there.cpu == "Apple M9"
    assert there.system.startswith("macOS")
    assert there.cores == os.cpu_count()


def test_versions_name_the_lab_and_what_shapes_its_numbers(tmp_path: Path) -> None:
    """The lab's version comes from its project file, the others from what is installed; the unknown are left out."""
    found = facts.package_versions()
    assert found["lab"]
    assert found["locust"] == __import__("importlib.metadata").metadata.version("locust")
    assert set(found) <= {"lab", *facts.PACKAGES}
    assert "lab" not in facts.package_versions(tmp_path) or facts._version("chaos-lab")


def test_the_commit_and_whether_files_differ(tmp_path: Path) -> None:
    """A clean tree gives its commit; a changed or a new file makes it dirty; a folder below a tree is none."""
    assert facts.git_state(tmp_path) == (None, False)
    git(tmp_path, "init", "-q")
    assert facts.git_state(tmp_path) == (None, False)  # nothing committed yet
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-q", "-m", "a")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert facts.git_state(tmp_path) == (commit, False)
    (tmp_path / "b").mkdir()
    assert facts.git_state(tmp_path / "b") == (None, False)
    (tmp_path / "b" / "new").write_text("2")
    assert facts.git_state(tmp_path) == (commit, True)
    git(tmp_path, "add", "b")
    git(tmp_path, "commit", "-q", "-m", "b")
    (tmp_path / "a").write_text("3")
    assert facts.git_state(tmp_path) == (git(tmp_path, "rev-parse", "HEAD"), True)


def test_documents_make_no_commit_dirty(tmp_path: Path) -> None:
    """What no run is made of may differ: pages, tests, reports."""
    git(tmp_path, "init", "-q")
    for name in ("docs/evidence.json", "tests/test_a.py", "scenarios/ch07/README.md", "lab/a.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "a")
    for name in ("docs/evidence.json", "docs/new.md", "tests/test_a.py", "scenarios/ch07/README.md"):
        (tmp_path / name).write_text("2")
    assert facts.git_state(tmp_path)[1] is False
    (tmp_path / "lab" / "a.py").write_text("2")
    assert facts.git_state(tmp_path)[1] is True


def test_a_tree_that_git_cannot_look_at_is_not_clean(tmp_path: Path) -> None:
    """It does not say whether files differ: a run of it is no evidence."""
    git(tmp_path, "init", "-q")
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-q", "-m", "a")
    assert facts.git_state(tmp_path)[1] is False
    (tmp_path / ".git" / "index").write_bytes(b"damaged")
    assert facts.git_state(tmp_path) == (git(tmp_path, "rev-parse", "HEAD"), True)
