"""How py-spy is run beside the lab, at a process of this machine."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from lab.runtime.base import Spy


def beside(pid: int) -> Spy:
    """py-spy as a process of ours."""
    return Spy(str(pid), partial(_argv, pid))


def _argv(pid: int, options: Sequence[str], output: Path) -> Sequence[str | Path]:
    return [_program(), "record", *options, "--output", output, "--pid", str(pid)]


def _program() -> str:
    """py-spy beside this Python, where the lab's own packages are, or the one on PATH."""
    beside = Path(sys.executable).parent / "py-spy"
    return str(beside) if beside.exists() else shutil.which("py-spy") or "py-spy"
