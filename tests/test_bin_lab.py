"""`bin/lab`: the command line from any folder, with its own exit codes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["show", "circuit-breaker"], 0, "Circuit breaker"),
        (["judge", "reports/example/circuit-breaker"], 0, "PASS"),
        (["show", "circuit-braker"], 3, "circuit-breaker"),
        (["frobnicate"], 3, "no command"),
        (["--help"], 0, "bin/lab"),
    ],
)
def test_it_works_from_another_folder(tmp_path: Path, arguments: list[str], code: int, says: str) -> None:
    """Its codes are the lab's, and what to type is called as it was typed."""
    given = [str(ROOT / part) if part.startswith("reports/") else part for part in arguments]
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "LAB_COMMAND")}
    done = subprocess.run([ROOT / "bin" / "lab", *given], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert says in done.stdout + done.stderr
