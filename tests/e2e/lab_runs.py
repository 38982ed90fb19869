"""Starts the real command line in a process of its own, and looks at what it started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
CIRCUIT_BREAKER = ROOT / "scenarios" / "ch07_distributed_systems" / "circuit_breaker.py"
PATIENCE_S = 240


@dataclass(frozen=True)
class Done:
    """A command that ended."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> dict[str, Any]:
        """Its standard output as JSON."""
        assert self.out, self.err
        parsed: dict[str, Any] = json.loads(self.out)
        return parsed


@dataclass
class Started:
    """A command that runs."""

    popen: subprocess.Popen[str]

    def finish(self) -> Done:
        """Wait for its end."""
        out, err = self.popen.communicate(timeout=PATIENCE_S)
        return Done(self.popen.returncode, out, err)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the lab alone."""
        self.popen.send_signal(number)


def start(*arguments: str | Path, env: Mapping[str, str] | None = None) -> Started:
    """Start `lab` with these arguments."""
    popen = subprocess.Popen(
        [sys.executable, "-m", "lab", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "120", **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return Started(popen)


def lab(*arguments: str | Path, env: Mapping[str, str] | None = None) -> Done:
    """Run `lab` with these arguments to its end."""
    return start(*arguments, env=env).finish()


def changed(folder: Path, old: str, new: str, name: str = "circuit_breaker.py") -> Path:
    """A copy of the circuit-breaker scenario with one thing changed."""
    text = CIRCUIT_BREAKER.read_text("utf-8")
    assert text.count(old) == 1, f"{old!r} must be there once"
    file = folder / name
    file.write_text(text.replace(old, new))
    return file


def of_a_run(folder: Path) -> dict[int, str]:
    """Every live process of the runs whose folders are below `folder`, by the marker in its environment."""
    runs = {path.name for path in folder.glob("*/*") if path.is_dir() and not path.is_symlink()}
    found: dict[int, str] = {}
    for process in psutil.process_iter():
        try:
            if process.environ().get("LAB_RUN") in runs and process.status() != psutil.STATUS_ZOMBIE:
                found[process.pid] = " ".join(process.cmdline())
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def until(what: Callable[[], Any], within_s: float = 60) -> Any:
    """Ask again and again until the answer is true; gives the answer."""
    end_s = time.monotonic() + within_s
    while time.monotonic() < end_s:
        answer = what()
        if answer:
            return answer
        time.sleep(0.1)
    raise AssertionError(f"not within {within_s:g} s")


def listening() -> set[Any]:
    """Addresses at which others than this machine could connect."""
    found = psutil.net_connections("tcp")
    return {c.laddr for c in found if c.status == psutil.CONN_LISTEN and c.laddr.ip not in ("127.0.0.1", "::1")}


def logged(reports: Path, text: str) -> bool:
    """Whether any run below `reports` has a log file whose path holds `text`."""
    return any(text in str(path) for path in reports.glob("*/*/logs/**/*.log"))
