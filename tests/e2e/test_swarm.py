"""The swarm runtime, where the engine here manages a Swarm, and what it says where it does not."""

from __future__ import annotations

import json

import aiohttp
import pytest
from lab_runs import lab, listening
from runtimes import runtime_in
from waits import until

from lab.errors import LabError
from lab.model import Link, Service
from lab.model.bench import Toxic
from lab.runtime.base import Stack
from lab.runtime.compose import names
from lab.runtime.compose.endpoint import endpoint
from lab.runtime.compose.engine import Engine
from lab.runtime.compose.swarm import node

pytestmark = [pytest.mark.e2e, pytest.mark.untraced]

payments = Service("payments")
exchange = Service("exchange")
charge = Link(exchange, payments)
STACK = Stack([payments, exchange], [charge], {exchange: {"PAYMENTS_TIMEOUT_S": 0.3}})


@pytest.fixture
async def engine():
    """The engine here."""
    engine = Engine(endpoint())
    yield engine
    await engine.close()


@pytest.fixture
async def swarm(engine):
    """Skips, with a plain line, where it manages no Swarm."""
    if not await engine.answers():
        pytest.skip("no Docker engine here")
    try:
        await node(engine)
    except LabError as nothing:
        pytest.skip(str(nothing))


async def trade(running):
    """The status of one trade."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{running.address(exchange).url}/trades", json={}) as answer,
    ):
        return answer.status


async def left(engine, run):
    """Containers and services of a run."""
    services = await engine.call("GET", "/services", {"filters": json.dumps({"label": [f"{names.LABEL_RUN}={run}"]})})
    return [*services, *await engine.containers(f"{names.LABEL_RUN}={run}")]


async def test_a_stack_on_a_swarm(swarm, engine, tmp_path):
    """It does what the same stack does elsewhere, publishes no port, is frozen and goes on, and is gone at the end."""
    before = listening()
    async with runtime_in(tmp_path, "swarm", STACK.members) as runtime:
        running = await runtime.start(STACK, tmp_path / "logs")
        try:
            run = running._supervisor.run_id
            assert await trade(running) == 201
            link = running.link(charge)
            await link.add(Toxic("silence", "timeout", attributes={"timeout": 0}))
            assert await trade(running) == 504
            await link.remove("silence")
            assert await trade(running) == 201
            containers = await engine.containers(f"{names.LABEL_RUN}={run}")
            assert [port for each in containers for port in each["Ports"] if "PublicPort" in port] == []
            assert listening() == before
            await running.process(payments).pause()
            assert await running.process(payments).state() == "paused"
            assert await trade(running) == 504
            await running.process(payments).resume()
            await until(lambda: "listening" in (tmp_path / "logs" / "exchange.log").read_text())
        finally:
            await running.stop()
        assert running.deaths() == []
        assert await left(engine, run) == []


async def test_a_death_is_told_with_its_last_words(swarm, tmp_path):
    """A task that ends though nobody asked stays ended: no other takes its place, and the stack says who it was."""
    async with runtime_in(tmp_path, "swarm", STACK.members) as runtime:
        running = await runtime.start(STACK, tmp_path / "logs")
        try:
            await running._engine.order(running._containers[payments], "kill")
            await until(lambda: running.deaths())
            assert "payments ended by itself (killed by SIGKILL)" in running.deaths()[0]
        finally:
            await running.stop()


async def test_without_a_swarm_the_line_that_makes_one_is_said(engine):
    """Exit code 3, one sentence; an engine elsewhere is refused before that."""
    far = lab("run", "circuit-breaker", "--runtime", "swarm", env={"LAB_ENGINE_ADDRESS": "127.0.0.2"})
    assert (far.code, far.out) == (3, "")
    assert "RUNTIME=swarm needs the engine of this machine" in far.err
    if not await engine.answers():
        pytest.skip("no Docker engine here")
    if not (await engine.call("GET", "/info"))["Swarm"]["ControlAvailable"]:
        none = lab("run", "circuit-breaker", "--runtime", "swarm")
        assert none.code == 3
        assert "docker swarm init --advertise-addr 127.0.0.1 --listen-addr 127.0.0.1:2377" in none.err


def test_a_scenario_that_kills_is_refused_before_anything_starts(tmp_path):
    """Its fault is named, and what else to use."""
    done = lab("run", "raft-leader-kill", "--runtime", "swarm", "--reports", tmp_path)
    assert (done.code, list(tmp_path.iterdir())) == (3, [])
    assert "killed" in done.err
    assert "use RUNTIME=compose or RUNTIME=local" in done.err
