"""Other programs that are asked for something: with a time limit that holds for whatever they start, too."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.runtime.leash import kill_group


def ask(
    argv: Sequence[str | Path], within_s: float, *, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, in a session of its own, and give what it printed.

    Raises OSError where there is none, and subprocess.TimeoutExpired after `within_s`; then, and at Ctrl-C, all that it
    started is killed with it.
    """
    with subprocess.Popen(
        argv,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(timeout=within_s)
        except BaseException:
            kill_group(process.pid)
            raise
    return subprocess.CompletedProcess(argv, process.returncode, out, err)
