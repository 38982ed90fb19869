"""
Measures the checker `linearizable` against Porcupine (Go): the same histories, in the same run, in alternating order.

`python -m benchmarks.checker` needs Go (golang.org/dl), which fetches the pinned module with the published histories
in it: etcd's from Jepsen and those of a key-value store. Without Go only this checker is measured. Times are CPU
seconds of a check, from the record (our side: columns with JSON answers) or the parsed operations (Porcupine's) to the
verdict; a violation's smallest set of operations, which Porcupine does not look for, is on our side. Histories
of one folder are checked in one go, since one alone takes milliseconds. It exits with 1 where a goal is missed.
"""

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from statistics import median

from benchmarks.histories import Call, Published, etcd, key_value, record, simulated
from lab.checkers.linearizable import linearizable

PORCUPINE = "github.com/anishathalye/porcupine"
VERSION = "v1.3.1"
HARNESS = Path(__file__).parent / "porcupine" / "main.go"
GOAL_RATIO = 3.0  # of our time to Porcupine's on etcd's histories
GOAL_S = 10.0  # for each of the others
VERDICTS = {"Ok": "PASS", "Illegal": "FAIL", "Unknown": "UNKNOWN"}

Answer = tuple[dict[str, str], float, float]  # verdicts by name, CPU seconds, peak in MB


def main() -> int:
    """Measure, print a table of ratios, and say whether the goals are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="times that each set is checked; the median counts")
    parser.add_argument("--timeout-s", type=float, default=60.0, help="bound of each check, on both sides")
    parser.add_argument("--only", default="", help="sets whose names hold this text")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        harness, data = porcupine(Path(folder))
        sets = [each for each in histories(data) if args.only in each[0]]
        print(
            f"{'set':<34}{'operations':>11}{'ours, s':>10}{'MB':>7}{'Porcupine, s':>14}{'MB':>7}{'ratio':>8}  verdicts"
        )
        return max([compared(name, each, harness, args.rounds, args.timeout_s) for name, each in sets], default=0)


def porcupine(folder: Path) -> tuple[Path | None, Path | None]:
    """The harness, built, and the folder of the published histories; None for both where there is no Go."""
    if shutil.which("go") is None:
        print("go was not found: Porcupine and its histories are left out (install Go from golang.org/dl)")
        return None, None
    shutil.copy(HARNESS, folder / "main.go")
    (folder / "go.mod").write_text(f"module histories\n\ngo 1.21\n\nrequire {PORCUPINE} {VERSION}\n")
    env = {**os.environ, "GOFLAGS": "-mod=mod", "GOWORK": "off"}
    done = subprocess.run(["go", "build", "-o", "harness", "."], cwd=folder, env=env, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"go could not build the harness with {PORCUPINE} {VERSION}:\n{done.stderr.strip()[-2000:]}")
    asked = ["go", "list", "-m", "-f", "{{.Dir}}", PORCUPINE]
    where = subprocess.run(asked, cwd=folder, env=env, capture_output=True, text=True, check=True)
    return folder / "harness", Path(where.stdout.strip()) / "test_data"


def histories(data: Path | None) -> Iterator[tuple[str, list[Published]]]:
    """The sets: published ones where they could be fetched, and simulated ones of one key."""
    if data is not None:
        found = [etcd(path) for path in sorted((data / "jepsen").glob("etcd_*.log"))]
        yield "etcd (Jepsen)", [each for each in found if any(call.known for call in each.calls)]  # one has no answer
        for path in sorted((data / "kv").glob("*.txt")):
            yield f"key-value {path.stem}", [key_value(path)]
    for seed in range(3):
        yield f"5 values, 10 clients, 2 % ({seed})", [simulated(seed, 5_000, 10, 0.02, values=5)]
    yield "5 values, 10 clients, 2 %, bad", [simulated(0, 5_000, 10, 0.02, values=5, bad=True)]
    yield "new values, 30 clients, 5 %", [simulated(0, 10_000, 30, 0.05)]
    yield "new values, 30 clients, 5 %, bad", [simulated(0, 10_000, 30, 0.05, bad=True)]


def compared(name: str, published: Sequence[Published], harness: Path | None, rounds: int, timeout_s: float) -> int:
    """One line of the table; 1 where a goal is missed."""
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(our_answer(published, timeout_s))
        if harness is not None:
            theirs.append(their_answer(published, harness, timeout_s))
    verdicts, spent_s, peak_mb = ours[-1][0], median(s for _, s, _ in ours), max(mb for _, _, mb in ours)
    line = f"{name:<34}{sum(len(each.calls) for each in published):>11,}{spent_s:>10.3f}{peak_mb:>7.0f}"
    missed = "UNKNOWN" in verdicts.values() or (len(published) == 1 and spent_s > GOAL_S)
    if not theirs:
        print(f"{line}{'':>29}  {said(verdicts, {})}", flush=True)
        return int(missed)
    expected, their_s, their_mb = theirs[-1][0], median(s for _, s, _ in theirs), max(mb for _, _, mb in theirs)
    ratio = spent_s / their_s
    print(f"{line}{their_s:>14.3f}{their_mb:>7.0f}{ratio:>8.2f}  {said(verdicts, expected)}", flush=True)
    differ = any(verdicts[each] != expected[each] and expected[each] != "UNKNOWN" for each in expected)
    return int(missed or differ or (len(published) > 1 and ratio > GOAL_RATIO))


def said(verdicts: dict[str, str], expected: dict[str, str]) -> str:
    """How many of each verdict, and which differ from Porcupine's."""
    counts = ", ".join(
        f"{sum(v == which for v in verdicts.values())} {which}"
        for which in ("PASS", "FAIL", "UNKNOWN")
        if which in verdicts.values()
    )
    differ = [f"{n} (Porcupine: {expected[n]})" for n in expected if expected[n] != verdicts[n]]
    return counts + (f"; differ: {', '.join(differ[:5])}" if differ else "")


def our_answer(published: Sequence[Published], timeout_s: float) -> Answer:
    """Verdicts of this checker, CPU seconds of all checks, and the peak of the process so far."""
    records = [(each.name, each.initial, record(each.calls)) for each in published]
    verdicts: dict[str, str] = {}
    began = time.process_time()
    for name, initial, history in records:
        verdicts[name] = linearizable(history, initial=initial, most_steps=10**9, within_s=timeout_s).verdict
    return verdicts, time.process_time() - began, getrusage(RUSAGE_SELF).ru_maxrss / 1024


def their_answer(published: Sequence[Published], harness: Path, timeout_s: float) -> Answer:
    """The same of Porcupine, in a process of its own."""
    lines = "\n".join(json.dumps(_spelled(each, timeout_s)) for each in published)
    done = subprocess.run([harness], input=lines, capture_output=True, text=True, check=True)
    results = [json.loads(line) for line in done.stdout.splitlines()]
    verdicts = {result["Name"]: VERDICTS[result["Verdict"]] for result in results}
    return verdicts, sum(result["CPUS"] for result in results), max(result["PeakMB"] for result in results)


def _spelled(each: Published, timeout_s: float) -> dict[str, object]:
    absent = "\0absent" if each.initial is None else each.initial
    last = 1 + max((int(call.end) for call in each.calls if call.known), default=len(each.calls))
    return {
        "Name": each.name,
        "Initial": absent,
        "TimeoutS": timeout_s,
        "Operations": [_operation(call, absent, last) for call in each.calls if call.known or call.kind != "read"],
    }


def _operation(call: Call, absent: str, last: int) -> dict[str, object]:
    # One that was not answered may happen at any time; after all others is as good as never.
    return {
        "Client": call.client,
        "Key": call.key,
        "Kind": call.kind,
        "Call": int(call.start),
        "Return": int(call.end) if math.isfinite(call.end) else last,
        "Sees": absent if call.sees is None else call.sees,
        "Sets": call.sets or "",
        "Swapped": call.swapped,
        "Unknown": not call.known,
    }


if __name__ == "__main__":
    sys.exit(main())
