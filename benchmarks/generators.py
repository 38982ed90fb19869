"""Load generators run one after another against the same server, measured in the same way: ours, vegeta and k6."""

from __future__ import annotations

import asyncio
import csv
import json
import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.load.driver import LoadDriver, Plan
from lab.load.sample import quantile
from lab.model import Load, Service

ROOT = Path(__file__).parents[1]
SERVER = Path(__file__).with_name("stalling_server.py")
_HAS_AFFINITY = hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1
LOAD_CORE, SERVER_CORE = 0, 1


@dataclass(frozen=True)
class Measured:
    """What one generator did. `late_p99_ms`: start after due time; None where the tool does not tell.

    Latencies count from due time where the tool tells when it started, else from the start (k6). `cpu_s` is the whole
    process, start-up included; `sending_cpu_s` what was used while sending, where known.
    """

    tool: str
    asked: int
    started: int
    failed: int
    lasts_s: float
    late_p99_ms: float | None
    p50_ms: float
    p99_ms: float
    cpu_s: float
    sending_cpu_s: float | None = None

    @property
    def kept(self) -> float:
        """Started, as a share of asked."""
        return self.started / self.asked

    @property
    def cpu_s_per_1000(self) -> float:
        """CPU seconds of the whole process for 1,000 requests."""
        return self.cpu_s / max(1, self.started) * 1000

    @property
    def sending_cpu_s_per_1000(self) -> float | None:
        """CPU seconds while sending, for 1,000 requests."""
        return None if self.sending_cpu_s is None else self.sending_cpu_s / max(1, self.started) * 1000


def _quantile(values: Sequence[float], share: float) -> float:
    found = quantile(sorted(values), share)
    return math.nan if found is None else found


def find(tool: str) -> str | None:
    """Where a tool is: on PATH or in .lab/bin."""
    return shutil.which(tool) or shutil.which(tool, path=str(ROOT / ".lab" / "bin"))


@contextmanager
def serving(stall_s: float = 0.0, first_s: float = 0.0) -> Iterator[str]:
    """Run the server on a core of its own and give its URL."""
    words = [sys.executable, str(SERVER), "--stall-s", str(stall_s), "--first-s", str(first_s)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, preexec_fn=_pin(SERVER_CORE)) as server:
        try:
            assert server.stdout
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.kill()


def _pin(core: int) -> Callable[[], None] | None:
    return (lambda: os.sched_setaffinity(0, {core})) if _HAS_AFFINITY else None


class _Child:
    """A process on the core of the load that tells how much CPU time it took; the driver may start Locust with it."""

    def __init__(self, words: Sequence[str | Path], env: Mapping[str, str], log: Path, cwd: Path | None) -> None:
        self._log = log
        self._popen = subprocess.Popen(
            [str(word) for word in words],
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=log.open("ab"),
            stderr=subprocess.STDOUT,
            cwd=cwd,
            preexec_fn=_pin(LOAD_CORE),
        )
        self.pid = self._popen.pid
        self.returncode: int | None = None
        self.cpu_s = 0.0
        self._ended = asyncio.ensure_future(asyncio.to_thread(self._collect))

    def _collect(self) -> int:
        _, status, usage = os.wait4(self.pid, 0)
        self.cpu_s = usage.ru_utime + usage.ru_stime
        self.returncode = os.waitstatus_to_exitcode(status)
        self._popen.returncode = self.returncode  # it is collected; nobody need ask again
        return self.returncode

    async def wait(self) -> int:
        """Wait for its end."""
        return await asyncio.shield(self._ended)

    async def stop(self, grace_s: float = 2.0) -> int:
        """End it."""
        if self.returncode is None:
            self._popen.kill()
        return await self.wait()

    def tail(self, lines: int = 20) -> str:
        """The end of its output."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:])


async def ours(url: str, load: Load, lasts_s: float, folder: Path) -> Measured:
    """Send a load with the lab's own generator."""
    children: list[_Child] = []

    def spawn(
        name: str,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        log: Path,
        cwd: Path | None = None,
    ) -> _Child:
        children.append(_Child(argv, env or {}, log, cwd))
        return children[-1]

    driver = await LoadDriver.start(Plan([url], load, lasts_s, seed=1), spawn, folder)
    driver.begin(time.perf_counter() + 0.3)
    result = await driver.finish()
    for note in result.notes:
        print(note, file=sys.stderr)
    answered = [row for row in result.rows if row["end_s"] is not None]
    latencies_ms = [(row["end_s"] - row["due_s"]) * 1000 for row in answered]
    return Measured(
        tool="lab" if load.is_open else f"lab, {load.users} user",
        asked=result.facts.asked,
        started=result.facts.started,
        failed=sum(row["outcome"] != "ok" for row in result.rows),
        lasts_s=lasts_s,
        late_p99_ms=result.facts.late_p99_ms if load.is_open else None,
        p50_ms=_quantile(latencies_ms, 0.5),
        p99_ms=_quantile(latencies_ms, 0.99),
        cpu_s=children[0].cpu_s,
        sending_cpu_s=result.facts.cpu_s,
    )


def get(per_s: float) -> Load:
    """Ask for arrivals at that rate."""
    return Load("GET /", to=Service("server"), per_s=per_s)


async def vegeta(url: str, per_s: float, lasts_s: float, folder: Path, one_core: bool = False) -> Measured:
    """Attack with vegeta; its results hold when each request began, so lateness and latency are counted as ours."""
    program = find("vegeta")
    assert program
    (folder / "targets").write_text(f"GET {url}/\n")
    words = [
        *(program, "attack", "-targets=targets", "-output=results.bin", "-timeout=10s", "-redirects=-1"),
        *(f"-rate={per_s:g}/1s", f"-duration={lasts_s:g}s"),
    ]
    child = await _run(words, folder, {"GOMAXPROCS": "1"} if one_core else {})
    rows = list(csv.reader(_output([program, "encode", "-to=csv", "results.bin"], folder)))
    begun_s = {int(row[8]): int(row[0]) / 1e9 for row in rows}
    zero_s = min(begun - n / per_s for n, begun in begun_s.items())  # the best it did counts as on time
    late_s = {n: begun - zero_s - n / per_s for n, begun in begun_s.items()}
    latencies_ms = [(late_s[int(row[8])] + int(row[2]) / 1e9) * 1000 for row in rows]
    return Measured(
        tool="vegeta",
        asked=round(per_s * lasts_s),
        started=len(rows),
        failed=sum(row[1] != "200" for row in rows),
        lasts_s=lasts_s,
        late_p99_ms=_quantile(list(late_s.values()), 0.99) * 1000,
        p50_ms=_quantile(latencies_ms, 0.5),
        p99_ms=_quantile(latencies_ms, 0.99),
        cpu_s=child.cpu_s,
    )


_K6_SCRIPT = """
import http from 'k6/http';
export const options = {
  summaryTrendStats: ['med', 'p(99)'],
  scenarios: { open: { executor: 'constant-arrival-rate', timeUnit: '1s', gracefulStop: '10s', rate: %d,
                       duration: '%gs', preAllocatedVUs: %d, maxVUs: %d } },
};
export default function () { http.get('%s/', { timeout: '10s', redirects: 0 }); }
"""


async def k6(url: str, per_s: float, lasts_s: float, folder: Path, one_core: bool = False) -> Measured:
    """Send at a constant arrival rate with k6; it tells no start times, so its latencies count from the start."""
    program = find("k6")
    assert program
    users = max(200, round(per_s / 20))
    (folder / "script.js").write_text(_K6_SCRIPT % (per_s, lasts_s, users, users * 4, url))
    words = [
        *(program, "run", "--quiet", "--no-usage-report", "--address=127.0.0.1:0"),
        *("--summary-export=summary.json", "script.js"),
    ]
    child = await _run(words, folder, {"GOMAXPROCS": "1"} if one_core else {})
    metrics = json.loads((folder / "summary.json").read_text())["metrics"]
    return Measured(
        tool="k6",
        asked=round(per_s * lasts_s),
        started=int(metrics["http_reqs"]["count"]),
        failed=int(metrics["http_req_failed"]["passes"]),
        lasts_s=lasts_s,
        late_p99_ms=None,
        p50_ms=metrics["http_req_duration"]["med"],
        p99_ms=metrics["http_req_duration"]["p(99)"],
        cpu_s=child.cpu_s,
    )


async def _run(words: Sequence[str], folder: Path, env: Mapping[str, str]) -> _Child:
    child = _Child(words, env, folder / "output.log", folder)
    if await child.wait() != 0:
        raise SystemExit(f"{words[0]} failed:\n{child.tail()}")
    return child


def _output(words: Sequence[str], folder: Path) -> list[str]:
    return subprocess.run(words, cwd=folder, check=True, capture_output=True, text=True).stdout.splitlines()
