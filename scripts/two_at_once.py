"""
Run experiments in two clones and twice in one of them, all at once, again and again: nothing may be lost.

    python scripts/two_at_once.py [--rounds 20] [--scale 0.05] [--names circuit-breaker,cache-stampede]

Each round starts three runs of one experiment at the same time: two in one clone, with the same reports and the same
state, and one in another clone. Each must exit with a verdict, keep all its episodes, and leave no scratch data and no
complaint; `latest` must lead to a whole run. Exits with 1 where one did not.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHARED = ("bin", "debian", "apt", "cache")  # of .lab: servers that were fetched
VERDICTS = (0, 1, 2)


def clone(folder: Path) -> Path:
    """A clone of this project with the same environment and the same servers, and a state of its own."""
    subprocess.run(["git", "clone", "-q", "--local", str(ROOT), str(folder)], check=True)
    (folder / ".venv").symlink_to((ROOT / ".venv").resolve())
    (folder / ".lab").mkdir()
    for name in SHARED:
        if (ROOT / ".lab" / name).exists():
            (folder / ".lab" / name).symlink_to((ROOT / ".lab" / name).resolve())
    return folder


def start(place: Path, name: str, scale: float) -> subprocess.Popen[str]:
    """Start one run in a clone."""
    argv = [sys.executable, "-m", "lab", "run", name, "--scale", f"{scale:g}", "--json"]
    env = {**os.environ, "LAB_RUNTIME": "local", "GRAFANA_URL": "none", "LAB_REPORTS": str(place / "reports")}
    env["LAB_HOME"] = str(place / ".lab")  # one that is inherited would be both clones'
    pipe = subprocess.PIPE
    return subprocess.Popen(argv, cwd=place, env=env, stdout=pipe, stderr=pipe, text=True)


def complaints(run: subprocess.Popen[str], place: Path) -> list[str]:
    """What is wrong with a run that has ended, or was lost."""
    out, err = run.communicate()
    if run.returncode not in VERDICTS:
        return [f"exit {run.returncode}: {err.strip()[-500:]}"]
    told = json.loads(out)
    record = json.loads((Path(told["report"]).parent / "record.json").read_text()) if told.get("report") else {}
    wrong = [f"{word} on standard error" for word in ("Traceback", "unforeseen") if word in err]
    variants = [variant["name"] for variant in record.get("spec", {}).get("variants", [])]
    played = [episode["variant"] for episode in record.get("episodes", [])]
    if not variants or sorted(played) != sorted(variants):
        wrong.append(f"{variants} were to be played, and {played} were")
    return wrong + [f"not whole: {sentence}" for sentence in _untidy(place)]


def _untidy(place: Path) -> list[str]:
    latest = [path for path in (place / "reports").glob("*/latest") if not (path / "record.json").exists()]
    return [f"{path} leads to no run" for path in latest]


def main(argv: list[str]) -> int:
    """Play the rounds; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--scale", type=float, default=0.05)
    parser.add_argument("--names", default="circuit-breaker,cache-stampede")
    asked = parser.parse_args(argv)
    names, lost = asked.names.split(","), 0
    with tempfile.TemporaryDirectory(prefix="two-at-once-") as folder:
        first, second = clone(Path(folder) / "first"), clone(Path(folder) / "second")
        for number in range(asked.rounds):
            name = names[number % len(names)]
            runs = [(start(place, name, asked.scale), place) for place in (first, first, second)]
            wrong = [sentence for run, place in runs for sentence in complaints(run, place)]
            for place in (first, second):
                wrong += [f"{path} is left" for path in (place / ".lab" / "runs").glob("*")]
            lost += bool(wrong)
            codes = [run.returncode for run, _ in runs]
            print(f"{number + 1} {name}: exits {codes} {'; '.join(wrong) or 'whole'}", flush=True)
    print(f"{asked.rounds} rounds of three runs: {asked.rounds - lost} whole, {lost} not")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
