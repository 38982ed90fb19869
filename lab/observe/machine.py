"""The machine, the packages and the commit that the numbers of a run belong to."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from lab.kit.places import ROOT
from lab.record import Machine

# Those whose behaviour stands in the numbers or in the charts; the lock file has all.
PACKAGES = (
    "aiohttp", "altair", "gevent", "geventhttpclient", "locust", "numpy", "prometheus-client", "py-spy", "pyarrow",
    "toxiproxy-python", "uvloop", "vl-convert-python",
)  # fmt: skip
COMMAND_TIMEOUT_S = 5.0
NO_PART = (":(exclude)docs", ":(exclude)tests", ":(exclude)reports", ":(exclude)*.md")  # of a run


def machine() -> Machine:
    """The facts of this machine, now. What a system does not tell is an empty text or None."""
    return Machine(
        system=_system(),
        kernel=platform.release(),
        cpu=_cpu(),
        cores=_cores(),
        memory_bytes=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        python=platform.python_version(),
        load_average_1min=round(os.getloadavg()[0], 2),
    )


def _system() -> str:
    if sys.platform == "darwin":
        return f"macOS {platform.mac_ver()[0]}"
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def _cpu() -> str:
    if sys.platform == "darwin":
        return _said("sysctl", "-n", "machdep.cpu.brand_string") or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def _cores() -> int:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def package_versions(root: Path = ROOT) -> dict[str, str]:
    """Version of the lab (its own, from below `root`, where it is not installed) and of the packages that matter."""
    found = {"lab": _version("chaos-lab") or _own_version(root)}
    found |= {name: _version(name) for name in PACKAGES}
    return {name: text for name, text in found.items() if text}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _own_version(root: Path) -> str:
    try:
        return str(tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"])
    except (OSError, KeyError, tomllib.TOMLDecodeError):
        return ""


def git_state(root: Path = ROOT) -> tuple[str | None, bool]:
    """The commit of the project at `root`, and whether files differ from it; (None, False) where git keeps none.

    Documents, tests and reports are no part of a run: what `make evidence` writes makes no run another. Where git does
    not say in time whether files differ, they may.
    """
    top = _said("git", "-C", str(root), "rev-parse", "--show-toplevel")
    commit = _said("git", "-C", str(root), "rev-parse", "HEAD")
    if not commit or not top or Path(top).resolve() != root.resolve():
        return None, False
    said = _said("git", "-C", str(root), "status", "--porcelain", "--branch", "--", ".", *NO_PART)
    return commit, len(said.splitlines()) != 1  # the branch has a line of its own: nothing at all is a git that failed


def _said(*argv: str) -> str:
    """What a command prints; empty where it fails, hangs or is not there."""
    try:
        done = subprocess.run(
            argv,
            capture_output=True,
            timeout=COMMAND_TIMEOUT_S,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},  # reading the state must not get in anybody's way
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else ""
