"""Five Raft processes, clients all the while, and kill -9 of the leader again and again."""

from __future__ import annotations

import asyncio
import math
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientError, ClientSession, ClientTimeout

from lab.checkers._operation import Op
from lab.checkers._wing_gong import Budget, search

pytestmark = [pytest.mark.e2e, pytest.mark.untraced]
SIZE = 5


class Processes:
    """The cluster, and a client of it, each a process of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.names = [f"raft-{n + 1}" for n in range(SIZE)]
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(SIZE + 1)]
        ports = [here.getsockname()[1] for here in sockets]
        for here in sockets:
            here.close()
        self.url = {name: f"http://127.0.0.1:{port}" for name, port in zip([*self.names, "edge"], ports, strict=True)}
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        env = {
            **os.environ,
            "SERVICE_NAME": name,
            "PORT": self.url[name].rpartition(":")[2],
            "LOG_LEVEL": "warning",
            "RAFT_PEERS": ",".join(self.names),
            "DATA_DIR": str(self.directory / name),
            "RAFT_SNAPSHOT_EVERY": "100",
            "RAFT_CLIENT_TIMEOUT_S": "4",
        }
        for other in self.names:
            env[f"{other.upper().replace('-', '_')}_URL"] = self.url[other]
        with (self.directory / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-m", "targets.raft"], env=env, stdout=log, stderr=log
            )

    def kill(self, name: str) -> None:
        process = self.running.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        for process in self.running.values():
            process.terminate()
        for process in self.running.values():
            process.wait(timeout=10)


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    """Five members and an edge, started; all are stopped at the end."""
    here = Processes(tmp_path)
    for name in here.url:
        here.start(name)
    yield here
    here.stop()


async def say(http: ClientSession, method: str, url: str, json: object = None) -> tuple[int, Any]:
    """Status and JSON; status 0 where no whole answer came."""
    try:
        async with http.request(method, url, json=json) as response:
            return response.status, await response.json(content_type=None)
    except (ClientError, TimeoutError, OSError):
        return 0, None


async def status_of(http: ClientSession, here: Processes) -> list[dict[str, Any]]:
    """What all servers that answer say of themselves."""
    said = await asyncio.gather(*(say(http, "GET", f"{here.url[name]}/status") for name in here.names))
    return [body for status, body in said if status == 200]


async def leader_of(http: ClientSession, here: Processes) -> str:
    """Wait for the leader of the latest term."""
    async with asyncio.timeout(20):
        while True:
            leaders = [body for body in await status_of(http, here) if body["role"] == "leader"]
            if leaders:
                return str(max(leaders, key=lambda body: body["term"])["name"])
            await asyncio.sleep(0.05)


class Client:
    """Reads and writes one key through the edge, and keeps what it saw."""

    def __init__(self, number: int, key: str) -> None:
        self.rng = random.Random(number)
        self.number = number
        self.key = key
        self.ops: list[Op] = []
        self.answered = 0

    async def run(self, http: ClientSession, url: str, until_s: float) -> None:
        count = 0
        while time.monotonic() < until_s:
            n, count = self.number * 100_000 + count, count + 1
            start_s = time.monotonic()
            if self.rng.random() < 0.5:
                status, said = await say(http, "GET", f"{url}/kv/{self.key}")
                if status == 200:
                    self.ops.append(Op(n, start_s, time.monotonic(), "read", sees=said["value"]))
            else:
                status, _ = await say(http, "PUT", f"{url}/kv/{self.key}", {"value": str(n)})
                if status == 200:
                    self.ops.append(Op(n, start_s, time.monotonic(), "write", sets=str(n)))
                elif status in (0, 504):
                    self.ops.append(Op(n, start_s, math.inf, "write", sets=str(n), certain=False))
            self.answered += status == 200
            await asyncio.sleep(0.005)


async def test_kill_the_leader(processes: Processes) -> None:
    """Whoever leads is killed three times: keys stay linearizable, terms have one leader, logs agree at the end."""
    async with ClientSession(timeout=ClientTimeout(total=6)) as http:
        await leader_of(http, processes)
        clients = [Client(n, f"k{n % 2}") for n in range(6)]
        until_s = time.monotonic() + 9
        load = [asyncio.create_task(client.run(http, processes.url["edge"], until_s)) for client in clients]
        led: set[tuple[int, str]] = set()
        for _ in range(3):
            await asyncio.sleep(1.2)
            for said in await status_of(http, processes):
                led |= {(term, said["name"]) for term in said["led_terms"]}
            name = await leader_of(http, processes)
            processes.kill(name)
            await asyncio.sleep(0.8)
            processes.start(name)
        await asyncio.gather(*load)
        async with asyncio.timeout(20):
            while True:
                said = await status_of(http, processes)
                led |= {(term, body["name"]) for body in said for term in body["led_terms"]}
                if len(said) == SIZE and len({body["last_applied"] for body in said}) == 1:
                    break
                await asyncio.sleep(0.1)
        logs = [(await say(http, "GET", f"{processes.url[name]}/log"))[1] for name in processes.names]
    assert min(client.answered for client in clients) > 20
    for key in ("k0", "k1"):
        ops = [op for client in clients if client.key == key for op in client.ops]
        assert search(ops, None, Budget(1_000_000, math.inf)).linearizable is True
    assert len({term for term, _ in led}) == len(led) >= 4
    entries: dict[int, list[int]] = {}
    for log in logs:
        for index, *rest in log["entries"]:
            assert entries.setdefault(index, rest) == rest
