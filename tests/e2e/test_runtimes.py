"""What every runtime does, whether services are processes or containers."""

import asyncio
import json
import os
import signal
import socket
import time
from pathlib import Path

import aiohttp
import psutil
import pytest
from runtimes import runtime_in
from waits import until

from lab import faults
from lab.errors import StartError
from lab.model import Link, Service
from lab.model.bench import Toxic
from lab.observe.canary import Canary, watch
from lab.runtime import processes
from lab.runtime.base import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.untraced]

payments = Service("payments")
exchange = Service("exchange")
charge = Link(exchange, payments)
STACK = Stack([payments, exchange], [charge], {exchange: {"PAYMENTS_TIMEOUT_S": 0.3}})


async def trade(running):
    """The status of one trade."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{running.address(exchange).url}/trades", json={}) as answer,
    ):
        return answer.status


@pytest.fixture(params=["builtin", "found", "compose"])
async def running(request, tmp_path, monkeypatch):
    """Exchange and payments: processes with the built-in fault proxy and with the one that is found; containers."""
    monkeypatch.setenv("TOXIPROXY", "builtin" if request.param == "builtin" else "")
    async with runtime_in(tmp_path, "compose" if request.param == "compose" else "local", STACK.members) as runtime:
        running = await runtime.start(STACK, tmp_path / "logs")
        running.runtime = runtime
        yield running
        await running.stop()


async def test_a_link_is_wired_through_its_proxy(running):
    """A trade passes through the link; silence on the link times the exchange out, and mends."""
    assert await trade(running) == 201
    link = running.link(charge)
    await link.add(Toxic("silence", "timeout", attributes={"timeout": 0}))
    assert await trade(running) == 504
    await link.remove("silence")
    assert await trade(running) == 201
    await link.set_enabled(False)
    assert await trade(running) == 502
    await link.set_enabled(True)
    assert await trade(running) == 201


async def test_the_proxy_in_use_is_named(running):
    """The runtime says which fault proxy it uses, with its version."""
    assert running.runtime.proxy.startswith(("built-in fault proxy ", "Toxiproxy "))
    assert running.runtime.versions()["fault proxy"] == running.runtime.proxy


async def test_kill_and_restart(running):
    """A killed service is gone and no unexpected death; restarted it answers at the same address, as a new process."""
    before = running.address(payments)
    pids = running.pids(payments)
    control = running.process(payments)
    await control.kill()
    assert await control.state() == "gone"
    assert running.pids(payments) == []
    assert await trade(running) == 502
    await control.kill()
    await control.restart()
    assert await control.state() == "running"
    assert running.address(payments) == before
    assert running.pids(payments) != pids
    assert await trade(running) == 201
    assert running.deaths() == []


async def test_each_service_has_a_folder_that_outlives_its_process(running):
    """DATA_DIR is there, is nobody else's, and is the same with the same files after `kill -9` and a restart."""

    def folder(service):
        pid = running.pids(service)[0]  # seen through its process, a container's folders are below its own root
        return Path(f"/proc/{pid}/root{psutil.Process(pid).environ()['DATA_DIR']}")

    (folder(payments) / "kept").write_text("yes")
    assert not (folder(exchange) / "kept").exists()
    await running.process(payments).kill()
    await running.process(payments).restart()
    assert (folder(payments) / "kept").read_text() == "yes"


async def test_pause_and_resume(running):
    """A paused service keeps its sockets and answers nothing until it is resumed."""
    control = running.process(payments)
    await control.pause()
    assert await control.state() == "paused"
    assert await trade(running) == 504
    with socket.create_connection((running.address(payments).host, running.address(payments).port), 1):
        pass
    await control.resume()
    assert await control.state() == "running"
    assert await trade(running) == 201


async def test_a_death_nobody_asked_for_is_told_once(running):
    """A service that dies by itself is told with how it ended, also after it was restarted."""
    os.kill(running.pids(payments)[0], signal.SIGKILL)
    await until(running.deaths)
    assert len(running.deaths()) == 1
    assert "payments ended by itself (killed by SIGKILL)" in running.deaths()[0]
    await running.process(payments).restart()
    assert len(running.deaths()) == 1


async def test_stopping_a_paused_stack(running):
    """A stack with a paused service stops, and what is stopped twice is no error."""
    pids = [*running.pids(payments), *running.pids(exchange)]
    await running.process(payments).pause()
    await running.stop()
    await running.stop()
    assert not any(processes.look(pid) for pid in pids)
    with pytest.raises(StartError, match="payments is gone"):
        await running.process(payments).pause()
    await running.process(payments).resume()


async def test_faults_are_journaled(running):
    """A fault is on disk before it goes in, and on exit that it is out."""
    with running.journal("silence", target="exchange->payments"):
        lines = running._supervisor.journal.path.read_text().splitlines()
        assert json.loads(lines[-1])["kind"] == "fault in"
    assert json.loads(running._supervisor.journal.path.read_text().splitlines()[-1])["kind"] == "fault out"


@pytest.mark.parametrize("kind", ["local", "compose"])
async def test_a_link_keeps_its_ends_apart(tmp_path, kind):
    """Whatever goes over a link with a distance is late by it, there and back; a fault's dose is its own alone."""
    far = Link(exchange, payments, distance_ms=60)
    fault = faults.latency(far, ms=50)
    async with runtime_in(tmp_path, kind, STACK.members) as runtime:
        running = await runtime.start(Stack([payments, exchange], [far]), tmp_path / "logs")
        t0 = time.perf_counter()
        async with Canary(watch([fault], running), t0) as canary:
            await asyncio.sleep(1)
            async with fault.inject(running):
                start_s = time.perf_counter() - t0
                await asyncio.sleep(2)
        before = [p.latency_ms for p in canary.between(0, start_s - 0.3) if p.path == "through" and p.latency_ms]
        await running.stop()
    assert min(before) >= 120
    assert fault.dose(canary.between(start_s, start_s + 2)).in_force
