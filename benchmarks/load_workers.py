"""How much load does one worker hold and how much do two, and which part is the limit?

    .venv/bin/python -m benchmarks.load_workers [--json FILE] [--rounds 3] [--seconds 4] [--quota 25]

Both are measured in the same run, in alternating order, against the cheapest upstream there is (raw_upstream.py).
A rate is held where at least 95 % of what was asked was started within the time, nothing failed and the p99 start was
at most 50 ms late. The highest is known to 6 %; what is said not to be held was not held twice running.

Workers, master, upstream and the lab's own process (which reads what is recorded, four times a second, as in a run)
share this machine's cores. Where two workers find no core free, two do not hold twice what one does: so the CPU time of
each process stands beside each rate, and the part that was at its end at the first rate that was not held is named.
With `--quota` each worker may use so many percent of one core (cgroup, root on Linux): what two hold then, while cores
are left, is what two would on cores of their own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import psutil

from benchmarks.accounting import cpu_s
from benchmarks.quota import Quota, quotas
from lab.load.crew import Crew
from lab.load.driver import LoadDriver, Plan, Result
from lab.model import Load, Service
from lab.runtime.base import Address
from lab.runtime.ports import free_port
from lab.runtime.ready import http_ok
from lab.runtime.supervisor import Managed, Supervisor

UPSTREAM = Path(__file__).with_name("raw_upstream.py")
KEPT, LATE_MS = 0.95, 50.0
NARROW = 1.06
POLL_S = 0.25
EARLY_S = 0.1  # what has sent its last is soon gone, and nobody can tell any more what it took
SPENT = 0.9  # of what it may use: that part is at its end
CORES = os.cpu_count() or 1


@dataclass(frozen=True)
class Step:
    """One load at one rate. `busy` has the CPU seconds per second of each process, `machine` of all there are."""

    workers: int
    asked_per_s: float
    kept: float
    failed: int
    late_p99_ms: float
    busy: Mapping[str, float]
    machine: float

    @property
    def held(self) -> bool:
        """Whether the load was what was asked for."""
        return self.kept >= KEPT and not self.failed and self.late_p99_ms <= LATE_MS


@dataclass(frozen=True)
class Highest:
    """The highest rate that was held, and the first that was not."""

    held: Step
    beyond: Step


Send = Callable[[int, float], Awaitable[Step]]


class Spawned:
    """The supervisor's spawn, with what it started by name."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self.started: dict[str, Managed] = {}

    def __call__(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        log: Path,
        cwd: Path | None = None,
    ) -> Managed:
        """Start a program."""
        self.started[name] = self._supervisor.spawn(name, argv, env=env, log=log, cwd=cwd)
        return self.started[name]


@contextmanager
def upstream() -> Iterator[tuple[Address, int]]:
    """Run the upstream; gives where, and its process id."""
    at = Address("127.0.0.1", free_port())
    with subprocess.Popen([sys.executable, str(UPSTREAM), str(at.port)]) as server:
        try:
            yield at, server.pid
        finally:
            server.kill()


async def send(at: Address, upstream_pid: int, lasts_s: float, quota: Quota | None, workers: int, per_s: float) -> Step:
    """Send one load with so many workers, each of which may use no more than the quota."""
    with tempfile.TemporaryDirectory() as folder:
        async with Supervisor.open(Path(folder) / "state", "benchmark") as supervisor:
            spawn = Spawned(supervisor)
            load = Load("GET /", to=Service("upstream"), per_s=per_s, timeout_s=2.0)
            crew = Crew(workers, port=free_port())
            driver = await LoadDriver.start(Plan([at.url], load, lasts_s, seed=1), spawn, Path(folder) / "load", crew)
            mastering = {} if crew.is_alone else {"master": spawn.started["locust"].pid}
            sending = (
                {"worker": spawn.started["locust"].pid}
                if crew.is_alone
                else {f"worker {i}": spawn.started[f"locust-worker-{i}"].pid for i in range(workers)}
            )
            pids = {**sending, **mastering, "upstream": upstream_pid, "lab": os.getpid()}
            with quotas(quota, sending.values()):
                begin_s = time.perf_counter() + 0.3
                driver.begin(begin_s)
                await asyncio.sleep(begin_s - time.perf_counter())
                busy, machine = await _watch(driver, pids, lasts_s)
            return _step(await driver.finish(), workers, per_s, lasts_s, busy, machine)


async def _watch(driver: LoadDriver, pids: Mapping[str, int], lasts_s: float) -> tuple[dict[str, float], float]:
    """Read along as a run does, and see what CPU time each process takes meanwhile."""
    before = {name: cpu_s(pid) for name, pid in pids.items()}
    psutil.cpu_percent()
    began_s = time.monotonic()
    while (left_s := began_s + lasts_s - EARLY_S - time.monotonic()) > 0:
        driver.progress()
        await asyncio.sleep(min(POLL_S, left_s))
    machine = psutil.cpu_percent() / 100 * CORES
    took_s = time.monotonic() - began_s
    return {name: (cpu_s(pid) - before[name]) / took_s for name, pid in pids.items()}, machine


def _step(
    result: Result, workers: int, per_s: float, lasts_s: float, busy: Mapping[str, float], machine: float
) -> Step:
    in_time = sum(row["start_s"] <= lasts_s for row in result.rows)
    failed = sum(row["outcome"] != "ok" for row in result.rows)
    kept = in_time / max(1, result.facts.asked)
    return Step(workers, per_s, kept, failed, result.facts.late_p99_ms, busy, machine)


async def highest(send_at: Send, workers: int, begin_per_s: float, widen: float) -> Highest:
    """Widen from a rate until one is held and one is not, then narrow down to 6 % between them."""
    per_s, held, beyond = begin_per_s, None, None
    while held is None or beyond is None or beyond.asked_per_s > held.asked_per_s * NARROW:
        step = await send_at(workers, per_s)
        if not step.held:
            step = await send_at(workers, per_s)  # anything may pass through a machine once
        held, beyond = (step, beyond) if step.held else (held, step)
        if held and beyond:
            per_s = math.sqrt(held.asked_per_s * beyond.asked_per_s)
        else:
            per_s = per_s * widen if held else per_s / widen
    return Highest(held, beyond)


async def measure(send_at: Send, rounds: int, begin_per_s: float) -> dict[int, list[Highest]]:
    """What one and two workers hold, so many times in turn."""
    found: dict[int, list[Highest]] = {1: [], 2: []}
    for i in range(rounds):
        for workers in (1, 2) if i % 2 == 0 else (2, 1):
            before = found[workers]
            begin = before[-1].held.asked_per_s if before else workers * begin_per_s
            one = await highest(send_at, workers, begin, widen=NARROW**2 if before else 1.5)
            print(f"round {i + 1}: {workers} held {one.held.asked_per_s:,.0f}/s", file=sys.stderr, flush=True)
            found[workers].append(one)
            if workers == 1:
                begin_per_s = one.held.asked_per_s
    return found


def limit(beyond: Step, quota: Quota | None) -> str:
    """The part that was at its end at a rate that was not held."""
    spent = [name for name, busy in beyond.busy.items() if busy >= SPENT * (quota or 1.0) and name.startswith("worker")]
    spent += [name for name, busy in beyond.busy.items() if busy >= SPENT and not name.startswith("worker")]
    at_end = f"at the end of {'a core' if quota is None else f'their {quota:.0%} of a core'}"
    words = [f"{' and '.join(spent)} ({at_end})"] if spent else []
    if beyond.machine >= SPENT * CORES:
        words.append(f"the machine ({beyond.machine:.2f} of {CORES} cores busy)")
    return " and ".join(words) or f"no part was at its end ({beyond.machine:.2f} of {CORES} cores busy)"


def report(found: Mapping[int, Sequence[Highest]], quota: Quota | None) -> None:
    """Print what was held, what it cost and what was the limit."""
    title = f"each worker at most {quota:.0%} of a core" if quota else "no quota"
    print(
        f"\n{title}\n  {'workers':>7}  {'held/s: median (range)':<26}{'late p99':>9}  CPU seconds per second, medians"
    )
    for workers, each in found.items():
        rates = [one.held.asked_per_s for one in each]
        late_ms = median(one.held.late_p99_ms for one in each)
        print(f"  {workers:>7}  {spread(rates, ',.0f'):<26}{late_ms:>6.1f} ms  {_busy([one.held for one in each])}")
    ratios = [b.held.asked_per_s / a.held.asked_per_s for a, b in zip(found[1], found[2], strict=True)]
    print(f"  two workers hold {spread(ratios, '.2f')} times what one holds")
    for workers, each in found.items():
        last = each[-1].beyond
        print(f"  the limit of {workers}: {limit(last, quota)}; at {last.asked_per_s:,.0f}/s: {_busy([last])}")


def spread(values: Sequence[float], form: str) -> str:
    """Median and range."""
    return f"{median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def _busy(steps: Sequence[Step]) -> str:
    parts = [f"{name} {median(step.busy[name] for step in steps):.2f}" for name in steps[0].busy]
    return ", ".join([*parts, f"all of the machine {median(step.machine for step in steps):.2f}"])


async def _measured(
    at: Address, pid: int, options: argparse.Namespace, quota: Quota | None
) -> dict[int, list[Highest]]:
    async def send_at(workers: int, per_s: float) -> Step:
        step = await send(at, pid, options.seconds, quota, workers, per_s)
        if options.verbose:
            print("  held " if step.held else "  NOT  ", step, file=sys.stderr, flush=True)
        return step

    await answers(at)
    return await measure(send_at, options.rounds, options.begin)


async def answers(at: Address) -> None:
    """Wait until the upstream does."""
    while True:
        with suppress(OSError):
            if await http_ok(at, "/"):
                return
        await asyncio.sleep(0.01)


def main() -> int:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="length of each load")
    parser.add_argument("--begin", type=float, default=3_000.0, help="first rate to be tried, in operations a second")
    parser.add_argument("--quota", type=int, nargs="+", default=[0, 25], help="percent of a core; 0 is none")
    parser.add_argument("--json", type=Path, help="also write what was found to this file")
    parser.add_argument("--verbose", action="store_true", help="tell of each load on stderr")
    options = parser.parse_args()
    kept = {}
    for percent in options.quota:
        quota = percent / 100 if percent else None
        with upstream() as (at, pid):
            found = asyncio.run(_measured(at, pid, options, quota))
        report(found, quota)
        kept[percent] = {workers: [asdict(one) for one in each] for workers, each in found.items()}
    if options.json:
        options.json.write_text(json.dumps(kept, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
