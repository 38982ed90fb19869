"""The lab's own code with what macOS lacks taken away: no fdatasync, /proc, timerfd, pidfd nor /dev/shm."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from lab_runs import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.untraced]

TOUCH_THE_PLATFORM = (
    "tests/runtime/test_processes.py",
    "tests/runtime/test_supervisor.py",
    "tests/runtime/test_journal.py",
    "tests/runtime/test_heal.py",
    "tests/runtime/test_leash.py",
    "tests/runtime/test_leash_memory.py",
    "tests/runtime/test_ports.py",
    "tests/runtime/test_ready.py",
    "tests/runtime/test_alone.py",
    "tests/targets/test_target_durable.py",
    "tests/targets/test_target_journal.py",
    "tests/targets/test_target_process.py",
    "tests/targets/raft/test_raft_storage.py",
    "tests/load/test_alarm.py",
    "tests/proxy/test_proxy_timers.py",
    "tests/test_machine.py",
    "tests/test_doctor.py",
    "tests/test_signals.py",
    "tests/test_unfinished.py",
    "tests/test_limits.py",
)


def test_what_touches_the_platform_does_without() -> None:
    """The tests of those parts pass, in this process and in those that they start."""
    env = {**os.environ, "PYTHONPATH": str(ROOT / "tests" / "like_macos")}
    gone = "import os, ctypes, pathlib; print(hasattr(os, 'fdatasync'), hasattr(os, 'pidfd_open'), "
    gone += "hasattr(ctypes.CDLL(None), 'timerfd_create'), pathlib.Path('/proc').exists())"
    told = subprocess.run([sys.executable, "-c", gone], env=env, capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["False"] * 4
    files = [file for file in TOUCH_THE_PLATFORM if (ROOT / file).exists()]
    assert len(files) == len(TOUCH_THE_PLATFORM)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-5000:]
