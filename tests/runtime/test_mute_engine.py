import asyncio
from types import SimpleNamespace

import pytest

from lab.kit.tasks import awaited
from lab.model import Service
from lab.runtime.base import Address, Stack
from lab.runtime.compose import life
from lab.runtime.compose import runtime as compose
from lab.runtime.compose.endpoint import Endpoint
from lab.runtime.compose.engine import Engine, EngineError
from lab.runtime.compose.shared import Shared
from lab.runtime.credentials import Credentials

pytestmark = pytest.mark.e2e

FOUND = {"Id": "1" * 64, "State": {"Pid": 0, "StartedAt": "2026-01-01T00:00:00Z"}}


@pytest.fixture
async def engine():
    """A Docker engine that takes every question and answers none."""
    asked = []

    async def hold(reader, writer):
        asked.append(await reader.readline())
        await reader.read()  # until the lab gives up
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    mute = Engine(Endpoint(f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"))
    yield mute
    await mute.close()
    server.close()


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_a_mute_engine_is_not_waited_for_without_end(engine, tmp_path, monkeypatch, end):
    """A container whose end the engine does not tell is given up after a limit, with the way to look."""
    monkeypatch.setattr(life, "ANSWER_S", 0.1)
    alive = life.Life("payments", "lab-payments", tmp_path / "log", engine, FOUND)
    with pytest.raises(EngineError, match=r"within 0.1 s that payments \(container lab-payments\) exited"):
        await (alive.stop(0.0) if end == "stop" else alive.kill())
    await alive.forget()
    assert awaited() == []


async def test_a_container_of_this_machine_is_dead_when_its_kernel_says_so(engine, tmp_path, monkeypatch):
    """A fault that kills is not late by the engine's clearing up: the kernel is asked, whatever the engine says."""
    monkeypatch.setattr(life.Life, "is_here", lambda self: True)
    process = await asyncio.create_subprocess_exec("sleep", "60")
    found = {**FOUND, "State": {**FOUND["State"], "Pid": process.pid}}
    alive = life.Life("payments", "lab-payments", tmp_path / "log", engine, found)
    killing = asyncio.create_task(alive.kill())
    await asyncio.sleep(0.05)
    assert not alive.has_died
    assert not killing.done()
    process.kill()
    await killing
    assert alive.has_died
    await alive.forget()
    assert awaited() == []
    await process.wait()


async def test_a_stack_is_stopped_as_far_as_a_mute_engine_lets_it(engine, tmp_path, monkeypatch):
    """What a mute engine may have kept is a sentence in `left`, and the run goes on to its end."""
    monkeypatch.setattr(compose, "STOP_S", 0.1)
    payments, left = Service("payments"), []
    running = compose.ComposeRunning(
        Stack([payments], []),
        tmp_path,
        SimpleNamespace(run_id="mute"),
        SimpleNamespace(),
        engine,
        Shared(Address("127.0.0.1", 9), None, "127.0.0.1", [], None),
        left,
        Credentials.fresh(),
    )
    monkeypatch.setattr(running, "_close_links", lambda: asyncio.sleep(0))
    await running.stop()
    await running.stop()  # once is enough
    assert [sentence.partition(":")[0] for sentence in left] == [
        "containers of project chaos-lab-mute-stack may still be there (not stopped within 0.1 s)"
    ]
