"""Targets as the lab starts them: processes with an environment, signals and exit codes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import ClientError, ClientSession

pytestmark = [pytest.mark.e2e, pytest.mark.untraced]

WAIT_S = 30
WITHOUT_UVLOOP = """
import runpy, sys
sys.modules["uvloop"] = None
runpy.run_module("targets.payments", run_name="__main__", alter_sys=True)
"""
BODY = {"amount_cents": 500, "buyer": "alice", "seller": "bob"}


@dataclass
class Target:
    """A target's process; `lines` are those of its log that have been read."""

    process: asyncio.subprocess.Process
    lines: list[dict[str, Any]]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.lines[0]['port']}"

    async def stopped(self) -> int:
        """Wait for the end of process and log. Returns the exit code."""
        assert self.process.stdout is not None
        async with asyncio.timeout(WAIT_S):
            self.lines += [json.loads(line) async for line in self.process.stdout]
            return await self.process.wait()


Start = Callable[..., Awaitable[Target]]


@asynccontextmanager
async def started(*command: str, **env: str) -> AsyncIterator[Target]:
    """Start python with this command and environment and wait for the log's first line."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, env=inherited() | env, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(WAIT_S):
            yield Target(process, [json.loads(await process.stdout.readline())])
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def inherited() -> dict[str, str]:
    """What a target's environment needs of ours: the way to modules, and to the coverage data."""
    return {name: value for name, value in os.environ.items() if name.startswith(("PATH", "PYTHON", "COV"))}


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts targets by name; whatever is left of them at the end is killed."""
    async with AsyncExitStack() as stack:

        async def start(name: str, **env: str) -> Target:
            return await stack.enter_async_context(started("-m", f"targets.{name}", **env))

        yield start


@pytest.fixture
async def http() -> AsyncIterator[ClientSession]:
    """A client."""
    async with ClientSession() as session:
        yield session


async def charge(http: ClientSession, payments: Target, key: str) -> int:
    """Make one charge. Returns the status."""
    async with http.post(f"{payments.url}/charges", json=BODY, headers={"Idempotency-Key": key}) as response:
        await response.read()
        return response.status


def refused(name: str, **env: str) -> list[str]:
    """Start a target that must not start. Returns what it says on stderr."""
    done = subprocess.run(
        [sys.executable, "-m", f"targets.{name}"],
        env=inherited() | env,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()


def test_a_wrong_environment_is_told_in_full() -> None:
    """A target with a wrong environment ends with code 2 and a line for each mistake, and serves nothing."""
    assert refused("exchange", PORT="http", BREAKER="maybe", BREAKER_OPNE_S="5") == [
        "exchange: PORT='http' cannot be: give a whole number from 0 to 65,535, or leave it out for 0",
        "exchange: PAYMENTS_URL is missing: give a base URL such as http://127.0.0.1:8080",
        "exchange: BREAKER='maybe' cannot be: give on or off, or leave it out for off",
        "exchange: BREAKER_OPNE_S is set but no setting is called that: is BREAKER_OPEN_S meant?",
    ]


def test_a_taken_port_is_told() -> None:
    """A port that another holds ends the target with one line that names it."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        (line,) = refused("payments", PORT=str(port))
    assert line.startswith(f"payments: HOST=127.0.0.1 PORT={port} cannot be listened on")
    assert line.endswith("give another, or PORT=0")


async def test_a_trade_crosses_two_processes_in_one_trace(http: ClientSession, start: Start) -> None:
    """Exchange and payments find each other by the environment, and their logs tell one story."""
    payments = await start("payments", ALLOW_PTRACE="1")
    exchange = await start("exchange", PAYMENTS_URL=payments.url, BREAKER="on", SERVICE_NAME="exchange-7")
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    async with http.post(f"{exchange.url}/trades", headers=headers) as response:
        assert response.status == 201
    for target in (exchange, payments):
        target.process.send_signal(signal.SIGTERM)
        assert await target.stopped() == 0
    spans = [line for target in (exchange, payments) for line in target.lines if line["event"] == "span"]
    assert [(span["service"], span["kind"], span["name"]) for span in spans] == [
        ("exchange-7", "client", "POST /charges"),
        ("exchange-7", "server", "POST /trades"),
        ("payments", "server", "POST /charges"),
    ]
    assert {span["trace_id"] for span in spans} == {trace}
    assert spans[2]["parent_id"] == spans[0]["span_id"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_drains(number: signal.Signals, http: ClientSession, start: Start) -> None:
    """On SIGTERM or SIGINT a target takes no new connection, finishes the request it has begun, and ends with 0."""
    payments = await start("payments", WORK_MS="2000")
    call = asyncio.create_task(charge(http, payments, "t-1"))
    await asyncio.sleep(0.3)
    payments.process.send_signal(number)
    await asyncio.sleep(0.3)
    async with ClientSession() as late:
        with pytest.raises(OSError):
            await charge(late, payments, "t-2")
    assert await call == 201
    assert await payments.stopped() == 0
    assert [line["event"] for line in payments.lines] == ["listening", "stopping", "span", "stopped"]


async def test_draining_is_bounded(http: ClientSession, start: Start) -> None:
    """A request that outlasts the grace is cut off, and the target ends all the same."""
    payments = await start("payments", WORK_MS="60000", SHUTDOWN_GRACE_S="0.3")
    call = asyncio.create_task(charge(http, payments, "t-1"))
    await asyncio.sleep(0.3)
    payments.process.send_signal(signal.SIGTERM)
    assert await payments.stopped() == 0
    with pytest.raises(ClientError):
        await call
    assert "requests given up" in [line["event"] for line in payments.lines]


async def test_it_runs_without_uvloop(http: ClientSession) -> None:
    """Where uvloop is not installed asyncio's own loop does."""
    async with started("-c", WITHOUT_UVLOOP) as payments:
        assert payments.lines[0]["loop"].startswith("asyncio")
        assert await charge(http, payments, "t-1") == 201


async def test_the_first_line_comes_at_any_level(start: Start) -> None:
    """Even at level error the log's first line tells the port, for PORT=0 would be of no use otherwise."""
    payments = await start("payments", LOG_LEVEL="error")
    assert payments.lines[0]["event"] == "listening"
    assert payments.lines[0]["port"] > 0
