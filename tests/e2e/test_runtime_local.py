import asyncio
import json
import os
import signal
import socket
import time
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import psutil
import pytest
from waits import until

from lab import faults
from lab.bench import Toxic
from lab.errors import MissingPart, StartError
from lab.model import Backing, Link, Service
from lab.observe.canary import Canary, watch
from lab.runtime import choose, leash, processes
from lab.runtime.base import Stack
from lab.runtime.local import LocalRuntime
from lab.runtime.supervisor import Supervisor
from lab.runtime.tools import Tools

pytestmark = pytest.mark.e2e

payments = Service("payments")
exchange = Service("exchange")
charge = Link(exchange, payments)
STACK = Stack([payments, exchange], [charge], {exchange: {"PAYMENTS_TIMEOUT_S": 0.3}})


@asynccontextmanager
async def runtime_in(folder):
    """A local runtime with a supervisor of its own."""
    run = f"local-{os.getpid()}-{time.monotonic_ns()}"
    async with Supervisor.open(folder / run, run) as supervisor:
        runtime = choose("local", supervisor, Tools())
        yield runtime
        await runtime.close()
    assert leash.survivors(run, folder / run) == []


async def trade(running):
    """The status of one trade."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{running.address(exchange).url}/trades", json={}) as answer,
    ):
        return answer.status


@pytest.fixture(params=["builtin", ""], ids=["builtin", "found"])
async def running(request, tmp_path, monkeypatch):
    """Exchange and payments, with the built-in fault proxy and with the one that is found."""
    monkeypatch.setenv("TOXIPROXY", request.param)
    async with runtime_in(tmp_path) as runtime:
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


async def test_a_link_keeps_its_ends_apart(tmp_path):
    """Whatever goes over a link with a distance is late by it, there and back; a fault's dose is its own alone."""
    far = Link(exchange, payments, distance_ms=60)
    fault = faults.latency(far, ms=50)
    async with runtime_in(tmp_path) as runtime:
        running = await runtime.start(Stack([payments, exchange], [far]), tmp_path / "logs")
        t0 = time.time()
        async with Canary(watch([fault], running), t0) as canary:
            await asyncio.sleep(1)
            async with fault.inject(running):
                start_s = time.time() - t0
                await asyncio.sleep(2)
        before = [p.latency_ms for p in canary.between(0, start_s - 0.3) if p.path == "through" and p.latency_ms]
        await running.stop()
    assert min(before) >= 120
    assert fault.dose(canary.between(start_s, start_s + 2)).in_force


async def test_each_service_has_a_folder_that_outlives_its_process(running):
    """DATA_DIR is there, is nobody else's, and is the same with the same files after `kill -9` and a restart."""

    def folder(service):
        return Path(psutil.Process(running.pids(service)[0]).environ()["DATA_DIR"])

    before = folder(payments)
    assert before != folder(exchange)
    (before / "kept").write_text("yes")
    await running.process(payments).kill()
    await running.process(payments).restart()
    assert folder(payments) == before
    assert (before / "kept").read_text() == "yes"


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
    os.kill(running.pids(payments)[0], signal.SIGSEGV)
    await until(running.deaths)
    assert len(running.deaths()) == 1
    assert "payments ended by itself (killed by SIGSEGV)" in running.deaths()[0]
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


async def test_a_target_that_exits_at_start_shows_its_last_words(tmp_path):
    """A service that cannot start is an error with its name, exit code and last log lines; nothing else is left."""
    wrong = Stack([payments, exchange], [charge], {exchange: {"PAYMENTS_TIMEOUT_S": "soon"}})
    async with runtime_in(tmp_path) as runtime:
        with pytest.raises(
            StartError, match=r"(?s)exchange ended before it was ready \(exit code 2\).*PAYMENTS_TIMEOUT_S"
        ):
            await runtime.start(wrong, tmp_path / "logs")
        assert [p for p in leash.survivors(runtime._supervisor.run_id, tmp_path) if processes.look(p)] == [
            runtime._supervisor._leash.pid
        ]


async def test_a_target_that_is_not_there_is_named(tmp_path):
    """A service without a module is an error that names both."""
    async with runtime_in(tmp_path) as runtime:
        with pytest.raises(StartError, match=r"(?s)nobody ended before it was ready.*targets\.nobody"):
            await runtime.start(Stack([Service("nobody")], []), tmp_path / "logs")


async def test_a_port_taken_meanwhile_costs_another_try(tmp_path, monkeypatch):
    """When somebody takes a port between drawing it and starting, the stack starts on other ports."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        real, draws = LocalRuntime, iter([taken.getsockname()[1]])
        from lab.runtime import local

        drawn = local.free_port
        monkeypatch.setattr(local, "free_port", lambda: next(draws, None) or drawn())
        async with runtime_in(tmp_path) as runtime:
            assert isinstance(runtime, real)
            running = await runtime.start(Stack([payments], []), tmp_path / "logs")
            assert running.address(payments).port != taken.getsockname()[1]
            await running.stop()


async def test_one_target_can_run_as_several_services(tmp_path):
    """Two services of one module get names, ports and logs of their own."""
    pair = [Service("payments-1", module="payments"), Service("payments-2", module="payments")]
    async with runtime_in(tmp_path) as runtime:
        running = await runtime.start(Stack(pair, []), tmp_path / "logs")
        assert running.address(pair[0]) != running.address(pair[1])
        assert {file.name for file in (tmp_path / "logs").iterdir()} == {"payments-1.log", "payments-2.log"}
        await running.stop()


async def test_cancelling_a_start_leaves_nothing(tmp_path):
    """A start that is given up in the middle stops what it had started."""
    async with runtime_in(tmp_path) as runtime:
        task = asyncio.create_task(runtime.start(STACK, tmp_path / "logs"))
        await until(lambda: len(leash.survivors(runtime._supervisor.run_id, tmp_path)) > 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        own = {runtime._supervisor._leash.pid}
        assert set(leash.survivors(runtime._supervisor.run_id, tmp_path)) == own


async def test_a_kind_that_this_runtime_cannot_start_is_named(tmp_path):
    """A backing server that only containers have is a MissingPart that says so."""
    async with runtime_in(tmp_path) as runtime:
        with pytest.raises(MissingPart, match="but not haproxy: use `--runtime compose`"):
            await runtime.start(Stack([Backing("haproxy")], []), tmp_path / "logs")
