"""Does the load arrive as asked, what does a stall look like, and what does it cost, beside vegeta and k6?

    .venv/bin/python -m benchmarks.open_model [--json] [--no-search] [--seconds 10] [--stall-seconds 24]

Three questions, each put to every generator at hand:

1. At 50 and at 500 arrivals a second: how many of them came, and how late after they were due was the p99 start?
2. A server that does nothing for 2 s in every 12 s, at 50 arrivals a second: what is p99?
   Arithmetic: one arrival in six falls into a stall, and one that comes u seconds after its begin waits 2 - u. So the
   share that waits longer than w is (2 - w) / 12; it is 1 % at w = 2 - 0.12 = 1.88 s. (By count: in 24 s come 1,200;
   the 12 slowest are the first six of either stall, 20 ms apart, and the sixth waits 2 - 6 * 0.02 = 1.88 s.)
   A closed model with one user sends nothing while it waits: two slow ones among a thousand, and p99 is of the rest.
3. The highest rate that one core holds: at least 99.5 % started, none failed, p99 start at most 50 ms late where the
   generator tells. The server has a core of its own where there is more than one.

CPU seconds are those of the generator's process, its start included (Locust's imports take a second), divided by its
requests; "sending" is the part used while sending.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.generators import Measured, find, get, k6, ours, serving, vegeta
from lab.model import Load, Service

STALL_S, EVERY_S = 2.0, 12.0
EXPECTED_P99_MS = 1000 * (STALL_S - 0.01 * EVERY_S)
KEPT = 0.995
LATE_MS = 50.0
Send = Callable[[str, float, float, Path], Awaitable[Measured]]


async def lab(url: str, per_s: float, lasts_s: float, folder: Path) -> Measured:
    """Send with the lab's own generator."""
    return await ours(url, get(per_s), lasts_s, folder)


def at_hand(console: Console, one_core: bool = False) -> dict[str, Send]:
    """Give the generators that this machine has; say in a line which it lacks."""
    found: dict[str, Send] = {"lab": lab}
    others = {"vegeta": vegeta, "k6": k6}
    homes = {"vegeta": "github.com/tsenart/vegeta/v12@latest", "k6": "go.k6.io/k6@latest"}
    for name, send in others.items():
        if find(name):
            found[name] = partial(send, one_core=one_core)
        elif not one_core:
            console.print(f"{name} is not here and left out: GOBIN=$PWD/.lab/bin go install {homes[name]}")
    return found


@contextmanager
def scratch() -> Iterator[Path]:
    """Give a folder that goes afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


async def steady(generators: dict[str, Send], lasts_s: float) -> list[Measured]:
    """Put question 1."""
    found = []
    for per_s in (50, 500):
        for send in generators.values():
            with serving() as url, scratch() as folder:
                found.append(await send(url, per_s, lasts_s, folder))
    return found


async def stalled(generators: dict[str, Send], lasts_s: float) -> list[Measured]:
    """Put question 2, and show what the closed model sees."""
    found = []
    for send in generators.values():
        with serving(STALL_S, first_s=5.0) as url, scratch() as folder:
            found.append(await send(url, 50, lasts_s, folder))
    closed = Load("GET /", to=Service("server"), users=1, think_s=0.02)
    with serving(STALL_S, first_s=5.0) as url, scratch() as folder:
        found.append(await ours(url, closed, lasts_s, folder))
    return found


async def _try(send: Send, per_s: float, lasts_s: float) -> Measured | None:
    with serving() as url, scratch() as folder:
        found = await send(url, per_s, lasts_s, folder)
    held = found.kept >= KEPT and not found.failed and (found.late_p99_ms or 0.0) <= LATE_MS
    return found if held else None


async def highest(send: Send, lasts_s: float) -> Measured | None:
    """Put question 3: double until it fails twice, then halve the gap until it is below 5 %."""
    best: Measured | None = None
    holds, fails = 0.0, 0.0
    per_s = 1_000.0
    while not fails or fails - holds > 0.05 * holds:
        measured = await _try(send, per_s, lasts_s) or await _try(send, per_s, lasts_s)
        if measured:
            best, holds = measured, per_s
        else:
            fails = per_s
            if not holds and per_s < 100:
                return None
        per_s = round((holds + fails) / 2 if fails else holds * 2)
    return best


def table(title: str, rows: list[Measured], lasts: str) -> Table:
    """Set measurements out beside each other."""
    shown = Table(box=box.SIMPLE_HEAD, title=f"{title}, {lasts}", title_justify="left", pad_edge=False, padding=(0, 1))
    shown.add_column("generator", no_wrap=True)
    for name in ("asked/s", "kept", "failed", "late p99", "p50", "p99 ms", "CPU", "sending"):
        shown.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        shown.add_row(
            row.tool,
            f"{row.asked / row.lasts_s:,.0f}",
            f"{row.kept:.2%}",
            f"{row.failed:,}",
            _number(row.late_p99_ms),
            _number(row.p50_ms),
            _number(row.p99_ms),
            _number(row.cpu_s_per_1000),
            _number(row.sending_cpu_s_per_1000),
        )
    return shown


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


async def measure(arguments: argparse.Namespace, console: Console) -> dict[str, list[Measured]]:
    """Put all questions."""
    generators = at_hand(console)
    found: dict[str, list[Measured]] = {}
    found["steady"] = await steady(generators, arguments.seconds)
    console.print(table("Arrivals", found["steady"], f"{arguments.seconds:g} s each"))
    found["stalled"] = await stalled(generators, arguments.stall_seconds)
    note = f"{arguments.stall_seconds:g} s each; p99 by arithmetic: {EXPECTED_P99_MS:,.0f} ms"
    console.print(table(f"A server that stalls {STALL_S:g} s in every {EVERY_S:g} s", found["stalled"], note))
    if not arguments.no_search:
        best = [await highest(send, arguments.search_seconds) for send in at_hand(console, one_core=True).values()]
        found["highest"] = [measured for measured in best if measured]
        console.print(table("Highest rate on one core", found["highest"], f"{arguments.search_seconds:g} s each"))
    return found


def verdicts(found: dict[str, list[Measured]]) -> Iterator[tuple[str, bool]]:
    """Say of each thing that must be so whether it is."""
    for row in found["steady"]:
        if row.tool == "lab":
            yield (
                f"{row.asked / row.lasts_s:g}/s: arrivals within 0.5 % of schedule ({row.kept:.2%})",
                abs(row.kept - 1) <= 0.005,
            )
    first, closed = found["stalled"][0], found["stalled"][-1]
    off = first.p99_ms / EXPECTED_P99_MS - 1
    yield f"stall: p99 by due time within 5 % of the arithmetic ({first.p99_ms:,.0f} ms, {off:+.1%})", abs(off) <= 0.05
    yield f"stall: the closed model reports milliseconds (p99 {closed.p99_ms:.1f} ms)", closed.p99_ms < 100


def main() -> int:
    """Read the arguments, measure, print; exit 1 where something that must be so is not."""
    parser = argparse.ArgumentParser(description="Open-model load beside vegeta and k6.")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON, and the tables to stderr")
    parser.add_argument("--no-search", action="store_true", help="leave the search for the highest rate out")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of each run at 50/s and 500/s")
    parser.add_argument("--stall-seconds", type=float, default=24.0, help="length of each run with stalls")
    parser.add_argument("--search-seconds", type=float, default=5.0, help="length of each step of the search")
    arguments = parser.parse_args()
    console = Console(stderr=arguments.json, highlight=False, width=100)
    found = asyncio.run(measure(arguments, console))
    judged = list(verdicts(found))
    for text, good in judged:
        console.print(f"{'yes' if good else 'NO '}  {text}")
    load_1min = os.getloadavg()[0]
    console.print(f"{os.cpu_count()} cores, {platform.platform()}, load average {load_1min:.1f}")
    if arguments.json:
        print(json.dumps({name: [asdict(row) for row in rows] for name, rows in found.items()}, indent=2))
    return 0 if all(good for _, good in judged) else 1


if __name__ == "__main__":
    raise SystemExit(main())
