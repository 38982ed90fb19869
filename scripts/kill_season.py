"""
Kill the lab at random moments of all its experiments, and count what is left.

    python scripts/kill_season.py [--kills 100] [--seed 1] [--scale 0.1]

Each kill starts one experiment as local processes, waits for a random moment between the first instruction and the end
of its first variant, and sends SIGKILL, SIGTERM, SIGHUP, SIGQUIT or SIGINT to the lab alone. Then it counts processes,
unfinished report folders and scratch data: once all has settled, and again after `lab heal`. Prints a line for each
kill and a table at the end; exits with 1 where anything is left after that, or where the lab did not end in order.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGINT)
SHARED = ("bin", "debian", "apt", "cache")  # of .lab: servers that were fetched
EARLY_S, LATE_S = 1.5, 25.0  # imports and checks; the first variant
ENDS_WITHIN_S = 90.0
SETTLES_WITHIN_S = 30.0  # the leash gives up after 10


@dataclass(frozen=True)
class Kill:
    """One kill: what came of the lab, and what was left before and after healing."""

    experiment: str
    signal: signal.Signals
    after_s: float
    code: int | None  # None: the lab did not end
    complaint: str
    processes: int
    healed: int  # sentences of `lab heal`
    left: tuple[str, ...]  # after it

    @property
    def in_order(self) -> bool:
        """Whether the lab ended as it should, and nothing is left."""
        ended = {0, 1, 2, -self.signal, 128 + self.signal}
        return self.code in ended and not self.complaint and not self.processes and not self.left


class Season:
    """A folder with its own home and reports, so that other labs of this machine have no part in it."""

    def __init__(self, folder: Path, scale: float) -> None:
        self.home, self.reports, self.scale = folder / "home", folder / "reports", scale
        self.mark = folder / "tmp"  # TMPDIR, which children inherit
        self.mark.mkdir()
        self.memory = set(Path("/dev/shm").glob("PostgreSQL.*"))  # of others
        self.home.mkdir()
        for name in SHARED:
            if (ROOT / ".lab" / name).exists():
                (self.home / name).symlink_to((ROOT / ".lab" / name).resolve())
        self.env = {
            **os.environ,
            "LAB_HOME": str(self.home),
            "LAB_REPORTS": str(self.reports),
            "LAB_RUNTIME": "local",
            "GRAFANA_URL": "none",
            "TMPDIR": str(self.mark),
        }

    def lab(self, *words: str) -> subprocess.Popen[str]:
        """Start the command line."""
        pipe = subprocess.PIPE
        argv = [sys.executable, "-m", "lab", *words]
        return subprocess.Popen(argv, cwd=ROOT, env=self.env, stdout=pipe, stderr=pipe, text=True, preexec_fn=_hears)

    def processes(self) -> list[int]:
        """Live processes of the season, by what they inherited, where they work and what they were started with."""
        found = []
        for process in psutil.process_iter():
            try:
                told = [*process.environ().values(), process.cwd(), *process.cmdline()]
                if process.status() != psutil.STATUS_ZOMBIE and any(str(self.home.parent) in text for text in told):
                    found.append(process.pid)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return [pid for pid in found if pid != os.getpid()]

    def left(self) -> tuple[str, ...]:
        """Folders that no finished run accounts for, and shared memory of PostgreSQL."""
        runs = [str(path.relative_to(self.home)) for path in (self.home / "runs").glob("*")]
        reports = [path for path in self.reports.glob("*/*") if path.is_dir() and not path.is_symlink()]
        memory = [str(path) for path in Path("/dev/shm").glob("PostgreSQL.*") if path not in self.memory]
        half = [str(path.relative_to(self.reports)) for path in reports if not (path / "record.json").exists()]
        return (*memory, *runs, *half)

    def kill(self, experiment: str, number: signal.Signals, after_s: float) -> Kill:
        """Kill one run after some seconds, or after its end where that came before."""
        ended = True
        lab = self.lab("run", experiment, "--scale", f"{self.scale:g}")
        try:
            _, err = lab.communicate(timeout=after_s)
        except subprocess.TimeoutExpired:
            lab.send_signal(number)
            try:
                _, err = lab.communicate(timeout=ENDS_WITHIN_S)
            except subprocess.TimeoutExpired:
                lab.kill()
                _, err = lab.communicate()
                ended = False
        deadline = time.monotonic() + SETTLES_WITHIN_S
        while (processes := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.1)
        healing = self.lab("heal")
        said, wrong = healing.communicate()
        healed = 0 if said.startswith("Nothing to heal") else len(said.splitlines())
        complaint = next((line for line in [*err.splitlines(), *wrong.splitlines()] if _bad(line)), "")
        if not self.left():
            shutil.rmtree(self.reports, ignore_errors=True)
        code = lab.returncode if ended else None
        return Kill(experiment, number, after_s, code, complaint, len(processes), healed, self.left())


def _hears() -> None:
    """Signals as in a terminal: a script that was started with & ignores some, and what it starts inherits that."""
    for number in SIGNALS[1:]:
        signal.signal(number, signal.SIG_DFL)


def _bad(line: str) -> bool:
    return any(word in line for word in ("Traceback", "unforeseen", "Exception ignored", "cannot be removed"))


def main(argv: list[str]) -> int:
    """Play the season; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", type=float, default=0.1)
    asked = parser.parse_args(argv)
    sys.path.insert(0, str(ROOT))
    from lab import catalogue

    names = [entry.name for entry in catalogue.read_all()[0]]
    rng = random.Random(asked.seed)
    kills: list[Kill] = []
    with tempfile.TemporaryDirectory(prefix="kill-season-") as folder:
        season = Season(Path(folder), asked.scale)
        for number in range(asked.kills):
            if number % len(names) == 0:
                rng.shuffle(names)
            after_s = rng.uniform(0, EARLY_S if rng.random() < 0.2 else LATE_S)
            kills.append(season.kill(names[number % len(names)], rng.choice(SIGNALS), after_s))
            print(number + 1, _line(kills[-1]), flush=True)
    print(_table(kills))
    return 0 if all(kill.in_order for kill in kills) else 1


def _line(kill: Kill) -> str:
    said = f"{kill.experiment}: {kill.signal.name} after {kill.after_s:.1f} s, exit {kill.code}"
    return (
        f"{said}, {kill.processes} processes left, {kill.healed} healed, {len(kill.left)} folders left {kill.complaint}"
    )


def _table(kills: list[Kill]) -> str:
    rows = ["signal   kills  in order  processes left  healed  folders left"]
    count = Counter(kill.signal for kill in kills)
    for number in SIGNALS:
        mine = [kill for kill in kills if kill.signal == number]
        rows.append(
            f"{number.name:<8}{count[number]:6}{sum(k.in_order for k in mine):10}{sum(k.processes for k in mine):16}"
            f"{sum(k.healed > 0 for k in mine):8}{sum(len(k.left) for k in mine):14}"
        )
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
