"""
What a report costs: peak memory and CPU seconds of `lab report`, and of `lab judge`, for runs of many operations.

    python -m benchmarks.report [OPERATIONS...]      20,000, 200,000 and 1,000,000 where none is named

The runs are made by the tests' planter, in a process of its own. Fails where a report of up to a million operations
takes more than 500 MB or 10 CPU seconds.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SIZES = (20_000, 200_000, 1_000_000)
MOST_MB, MOST_CPU_S = 500.0, 10.0
PLANT = """
import sys
sys.path[:0] = [{root!r}, {tests!r}]
from report.fabricate import Recipe, fabricate
print(fabricate(__import__("pathlib").Path(sys.argv[1]), Recipe(per_s=float(sys.argv[2]))).path)
"""
VARIANTS, LASTS_S = 2, 50


@dataclass(frozen=True)
class Cost:
    """Of one process: its peak of resident memory, and its CPU seconds, user and system."""

    peak_mb: float
    cpu_s: float


def plant(folder: Path, operations: int) -> Path:
    """Make a run of that many operations; gives its folder."""
    program = PLANT.format(root=str(ROOT), tests=str(ROOT / "tests"))
    command = [sys.executable, "-c", program, str(folder), str(operations / VARIANTS / LASTS_S)]
    return Path(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())


def cost(command: Sequence[str]) -> Cost:
    """Run a command to its end, whatever its exit code. Raises ChildProcessError where it is a lab error."""
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    said = process.stderr.read().decode()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1, 2):
        raise ChildProcessError(said)
    return Cost(_mb(used), used.ru_utime + used.ru_stime)


def _mb(used: resource.struct_rusage) -> float:
    return used.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)  # kB, on macOS bytes


def main(sizes: Sequence[int]) -> int:
    """Print a line for each size and command; gives the exit code."""
    print(f"{'operations':>12} {'command':>8} {'peak MB':>8} {'CPU s':>6}")
    over = False
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            run = plant(Path(folder), size)
            for verb in ("report", "judge"):
                spent = cost([sys.executable, "-m", "lab", verb, "--reports", folder, str(run)])
                print(f"{size:>12,} {verb:>8} {spent.peak_mb:>8.0f} {spent.cpu_s:>6.1f}", flush=True)
                over |= verb == "report" and size <= SIZES[-1] and (spent.peak_mb > MOST_MB or spent.cpu_s > MOST_CPU_S)
    if over:
        print(f"more than {MOST_MB:g} MB or {MOST_CPU_S:g} CPU s")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main([int(word.replace(",", "")) for word in sys.argv[1:]] or SIZES))
