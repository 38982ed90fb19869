"""kill -9 of a whole server: every process of it ends at once, its data folder stays, and it recovers from that."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import asyncpg
import pytest
from fault_season import stack_up
from run_ids import fresh

from lab import faults
from lab.errors import MissingPart
from lab.model import Backing, Service
from lab.runtime import leash, processes
from lab.runtime.base import Address
from lab.runtime.member_process import Command, MemberProcess
from lab.runtime.ports import free_port
from lab.runtime.supervisor import Supervisor
from lab.runtime.tools import Tools

pytestmark = pytest.mark.e2e

postgres = Backing("postgres")
# Starts a process in a session of its own every few milliseconds, as a postmaster does for each client.
PARENT = """
import socket, subprocess, sys, time
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
ends = time.monotonic() + 5
while time.monotonic() < ends:
    subprocess.Popen(["sleep", "5"], start_new_session=True)
time.sleep(5)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a paused parent is seen in /proc")
async def test_no_child_that_is_born_meanwhile_outlives_a_kill(tmp_path: Path) -> None:
    """A parent that starts processes all the time leaves none."""
    run = fresh("kill")
    async with Supervisor.open(tmp_path / "run", run) as supervisor:
        others = leash.survivors(run, tmp_path / "nothing")  # the leash itself
        address = Address("127.0.0.1", free_port())
        command = Command([sys.executable, "-c", PARENT, str(address.port)])

        async def ready() -> bool:
            return len(parent.pids()) > 5

        parent = MemberProcess(
            Service("parent"), address, command, ready, tmp_path / "log", supervisor, lambda moment: None
        )
        await parent.start()
        await parent.kill()
        assert leash.survivors(run, tmp_path / "nothing") == others
        assert parent.deaths() == []


async def test_postgres_recovers_what_it_acknowledged(tmp_path: Path) -> None:
    """Killed in the middle of commits it leaves no process; back on the same folder it has every acknowledged row."""
    try:
        Tools().need("postgres")
    except MissingPart as error:
        pytest.skip(str(error).splitlines()[0])
    async with stack_up(tmp_path, [postgres], []) as running:
        url, acknowledged = running.url(postgres), list[int]()
        connection = await asyncpg.connect(url)
        await connection.execute("CREATE TABLE row (id int PRIMARY KEY)")
        writing = asyncio.create_task(_write(connection, acknowledged))
        await asyncio.sleep(0.3)
        pids = running.pids(postgres)
        async with faults.kill(postgres).inject(running) as told:
            assert told == {"state": "gone"}
            assert [pid for pid in pids if processes.look(pid)] == []
        with pytest.raises((OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)):
            await writing
        connection = await asyncpg.connect(url)
        there = {row["id"] for row in await connection.fetch("SELECT id FROM row")}
        await connection.close()
        assert len(pids) > 3
        assert acknowledged
        assert set(acknowledged) <= there <= {*acknowledged, len(acknowledged)}
        assert running.deaths() == []
        log = (tmp_path / "logs" / "postgres.log").read_text()
        assert "was not properly shut down; automatic recovery in progress" in log


async def _write(connection: asyncpg.Connection[asyncpg.Record], acknowledged: list[int]) -> None:
    while True:
        await connection.execute("INSERT INTO row VALUES ($1)", len(acknowledged))
        acknowledged.append(len(acknowledged))
