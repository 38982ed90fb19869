"""
Cut the power of PostgreSQL again and again under its own benchmark's load, and let its own tools look for damage.

    python scripts/disk_soak.py [--cuts 12] [--seed 1]

The server stands on the disk that forgets (lab.disk). Each round lets pgbench (TPC-B, four clients) run for 1 s to 4 s,
kills all processes and undoes what was not synced; every second time a part of it, drawn from the seed, survives. Then
the server recovers, amcheck reads every table and every index, and the sums that TPC-B keeps equal are compared, as are
the rows of its history with the transactions that pgbench had acknowledged. Prints a line for each cut; exits with 1
where anything is damaged or lost. It needs pgbench and amcheck (Debian: postgresql, postgresql-contrib).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from lab.errors import LabError
from lab.model import Backing
from lab.runtime.disk import MountedDisk
from lab.runtime.leash import kill_group
from lab.runtime.supervisor import Managed, Supervisor
from lab.runtime.tools import Program, Tools
from lab.runtime.unprivileged import as_nobody, give, lead_through

FORGETS_S = 0.3  # after a cut the kernel still has names of before in its cache (lab.disk.cut)
STARTS_S, ASKED_S = 60.0, 120.0
INDEXES = (
    "SELECT count(bt_index_check(c.oid, true)) FROM pg_class c JOIN pg_am a ON a.oid = relam WHERE amname = 'btree'"
)
TABLES = "SELECT count(*) FROM pg_class c, LATERAL verify_heapam(c.oid) WHERE relkind IN ('r', 't', 'm')"
SUMS = (
    "SELECT (SELECT sum(abalance) FROM pgbench_accounts), (SELECT sum(bbalance) FROM pgbench_branches), "
    "(SELECT sum(tbalance) FROM pgbench_tellers), (SELECT coalesce(sum(delta), 0) FROM pgbench_history)"
)


@dataclass
class Server:
    """One cluster on the disk; it listens in the folder `socket` and nowhere else."""

    program: Program  # the others are beside it
    socket: Path
    data: Path
    supervisor: Supervisor
    log: Path
    process: Managed | None = None

    def run(self, program: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """One of its programs, to its end."""
        env = {**os.environ, **self.program.env, "PGHOST": str(self.socket), "PGUSER": "soak", "PGDATABASE": "postgres"}
        argv = [*as_nobody(), self.program.path.resolve().with_name(program), *words]
        return subprocess.run(argv, env=env, cwd="/", capture_output=True, text=True, timeout=ASKED_S, check=False)

    def ask(self, query: str) -> str:
        """What a query gives, as psql prints it. Raises LabError in the server's words."""
        done = self.run("psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", query)
        if done.returncode:
            raise LabError(done.stderr.strip() or f"psql ended with {done.returncode}")
        return done.stdout.strip()

    async def start(self) -> None:
        """Start it, and wait until it has recovered. Raises LabError."""
        words: list[str | Path] = [
            "-D",
            self.data,
            "-k",
            self.socket,
            "-c",
            "listen_addresses=",
            "-c",
            "max_wal_size=64MB",
            "-c",
            "dynamic_shared_memory_type=mmap",  # a cut server leaves nothing in /dev/shm
        ]
        argv = [*as_nobody(), self.program.path, *words]
        self.process = self.supervisor.spawn("postgres", argv, env=self.program.env, log=self.log, cwd=Path("/"))
        for _ in range(int(STARTS_S / 0.1)):
            if self.process.returncode is not None:
                raise LabError(f"the server did not start again; {self.log} says why")
            if self.run("pg_isready", "-q").returncode == 0:
                return
            await asyncio.sleep(0.1)
        raise LabError(f"the server was not ready within {STARTS_S:g} s; its log: {self.log}")

    async def kill(self) -> None:
        """SIGKILL to all of its processes."""
        if self.process:
            self.process.asked_to_end = True
            kill_group(self.process.pid)
            await self.process.kill()

    def damage(self, acknowledged: int) -> str:
        """What is wrong; empty where nothing is."""
        self.ask(INDEXES)  # raises where an index is damaged, or lacks a row of its table
        found = [f"{rows} damaged rows"] if (rows := self.ask(TABLES)) != "0" else []
        if len(set(sums := self.ask(SUMS).split("|"))) != 1:
            found.append(f"sums differ: {sums}")
        if (rows_there := int(self.ask("SELECT count(*) FROM pgbench_history"))) < acknowledged:
            found.append(f"{acknowledged - rows_there} of {acknowledged} acknowledged transactions are gone")
        return ", ".join(found)


async def load(server: Server, lasts_s: float) -> int:
    """pgbench until the server is killed after `lasts_s`; gives how many transactions were acknowledged to it."""
    running = asyncio.create_task(asyncio.to_thread(server.run, "pgbench", "-n", "-c", "4", "-T", "60"))
    await asyncio.sleep(lasts_s)
    await server.kill()
    said = (await running).stdout
    processed = re.search(r"actually processed: (\d+)", said)
    if processed is None:
        raise LabError(f"pgbench did not say how many transactions it made: {said.strip() or 'nothing'}")
    return int(processed.group(1))


async def soak(cuts: int, seed: int, folder: Path) -> int:
    """The number of cuts after which something was wrong."""
    draws, bad, acknowledged = random.Random(seed), 0, 0
    program = Tools().need("postgres")["postgres"]
    lead_through(folder)
    async with Supervisor.open(folder / "run", "disk-soak") as supervisor:  # whose leash unmounts what is below it
        lead_through(supervisor.scratch)
        data, socket = supervisor.scratch / "data", supervisor.scratch / "socket"
        for each in (data, socket):
            each.mkdir()
            give(each)
        disk = MountedDisk(Backing("postgres"), data, supervisor, folder / "disk.log")
        await disk.mount()
        server = Server(program, socket, data / "cluster", supervisor, folder / "postgres.log")
        try:
            made = server.run("initdb", "-D", server.data, "-U", "soak", "-A", "trust")
            if made.returncode:
                raise LabError(f"initdb: {made.stderr.strip()}")
            await server.start()
            server.ask("CREATE EXTENSION amcheck")
            if (filled := server.run("pgbench", "-i", "-q", "-s", "2")).returncode:
                raise LabError(f"pgbench -i: {filled.stderr.strip()}")
            for number in range(1, cuts + 1):
                acknowledged += await load(server, draws.uniform(1.0, 4.0))
                keeps = "nothing" if number % 2 else "some"
                undone = await disk.cut(keeps, draws.randrange(2**31))
                await asyncio.sleep(FORGETS_S)
                await server.start()
                wrong = server.damage(acknowledged)
                bad += bool(wrong)
                print(
                    f"cut {number}: keeps {keeps}, {undone['undone_bytes']} bytes and {undone['undone_names']} names "
                    f"undone, {acknowledged} transactions acknowledged so far: {wrong or 'nothing damaged or lost'}",
                    flush=True,
                )
        finally:
            await server.kill()
            await disk.stop()
    return bad


def main() -> int:
    """Soak, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1] if __doc__ else "")
    parser.add_argument("--cuts", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    words = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="disk-soak-"))
    try:
        bad = asyncio.run(soak(words.cuts, words.seed, folder))
    except LabError as error:
        print(f"disk_soak: {error}", file=sys.stderr)
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    print(f"{words.cuts} cuts, {bad} with damage or loss")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
