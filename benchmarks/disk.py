"""Measures what the disk that forgets costs: commits per second of PostgreSQL with its data on it and beside it.

`python -m benchmarks.disk` starts one server of each kind, lets 1 and then 8 connections commit a row at a time for
some seconds, the two servers in alternating order, and prints the medians with their ratio. Beside it, an fsync is the
machine's own; on it, one is a message to a process and costs no write. So the ratio is of this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path
from statistics import median

import asyncpg

from lab.model import Backing
from lab.runtime.base import Stack
from lab.runtime.local import LocalRunning, LocalRuntime
from lab.runtime.supervisor import Supervisor
from lab.runtime.tools import Tools

ON, BESIDE = Backing("postgres", "on"), Backing("postgres", "beside")


async def commits_per_s(url: str, connections: int, lasts_s: float) -> float:
    """Rows inserted per second, each in a transaction of its own."""

    async def work() -> int:
        connection = await asyncpg.connect(url)
        done, until_s = 0, time.monotonic() + lasts_s
        while time.monotonic() < until_s:
            await connection.execute("INSERT INTO t VALUES (1)")
            done += 1
        await connection.close()
        return done

    return sum(await asyncio.gather(*(work() for _ in range(connections)))) / lasts_s


async def measure(running: LocalRunning, rounds: int, lasts_s: float) -> dict[str, object]:
    """Medians over the rounds, and their ratio."""
    for server in (ON, BESIDE):
        connection = await asyncpg.connect(running.url(server))
        await connection.execute("CREATE TABLE t (n int)")
        await connection.close()
    found: dict[str, object] = {}
    for connections in (1, 8):
        rates: dict[str, list[float]] = {ON.name: [], BESIDE.name: []}
        for number in range(rounds):
            for server in (ON, BESIDE) if number % 2 else (BESIDE, ON):
                rates[server.name].append(await commits_per_s(running.url(server), connections, lasts_s))
        on, beside = (median(rates[server.name]) for server in (ON, BESIDE))
        words = {"on_disk_per_s": round(on), "beside_per_s": round(beside), "ratio": round(on / beside, 2)}
        found[f"{connections} connections"] = words
    return found


async def main(rounds: int, lasts_s: float) -> None:
    """Start both, measure, print JSON."""
    with tempfile.TemporaryDirectory() as folder:
        async with Supervisor.open(Path(folder) / "run", "benchmark-disk") as supervisor:
            stack = Stack([ON, BESIDE], [], disks=[ON])
            running = await LocalRuntime(supervisor, Tools()).start(stack, Path(folder) / "logs")
            print(json.dumps(await measure(running, rounds, lasts_s), indent=2))
            await running.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lasts-s", type=float, default=3.0)
    words = parser.parse_args()
    asyncio.run(main(words.rounds, words.lasts_s))
