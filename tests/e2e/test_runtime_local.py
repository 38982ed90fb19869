import asyncio
import socket
from contextlib import asynccontextmanager

import pytest
from run_ids import fresh
from waits import until

from lab.errors import MissingPart, StartError
from lab.model import Backing, Link, Service
from lab.runtime import leash, processes
from lab.runtime.base import Stack
from lab.runtime.local import LocalRuntime
from lab.runtime.supervisor import Supervisor
from lab.runtime.tools import Tools

pytestmark = [pytest.mark.e2e, pytest.mark.untraced]

payments = Service("payments")
exchange = Service("exchange")
charge = Link(exchange, payments)
STACK = Stack([payments, exchange], [charge], {exchange: {"PAYMENTS_TIMEOUT_S": 0.3}})


@asynccontextmanager
async def runtime_in(folder):
    """A local runtime with a supervisor of its own."""
    run = fresh("local")
    async with Supervisor.open(folder / run, run) as supervisor:
        runtime = LocalRuntime(supervisor, Tools())
        yield runtime
        await runtime.close()
    assert leash.survivors(run, folder / run) == []


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
