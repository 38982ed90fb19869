"""A fault that waits for a barrier hits while an operation stands there, and says which; else it does nothing."""

import asyncio
from contextlib import asynccontextmanager, contextmanager

import pytest
from aiohttp import ClientSession, web
from planted_probes import callee

from lab import faults
from lab.errors import LabError
from lab.faults.kit.barrier import check
from lab.model import Backing, Role
from lab.model.bench import Address
from targets.kit import Settings, answer, running


def build(settings, service):
    """A target with one step that passes a barrier."""
    between = service.barriers.point("between")

    async def step(request):
        await between.passed(request.match_info["name"])
        return answer({})

    app = web.Application()
    app.add_routes([web.post("/steps/{name}", step)])
    return app


class Process:
    """A process that is a word; it notes whether an operation was held when the signal came."""

    def __init__(self, held):
        self.now = "running"
        self.held = held
        self.held_at_signal = None

    async def kill(self):
        self.now, self.held_at_signal = "gone", self.held()

    async def pause(self):
        self.now, self.held_at_signal = "paused", self.held()

    async def resume(self):
        self.now = "running"

    async def restart(self):
        self.now = "running"

    async def state(self):
        return self.now


class Bench:
    """One service on a real socket, whose process is a word."""

    def __init__(self, target):
        self.target = target
        self.the_process = Process(lambda: target.service.barriers.point("between").is_armed)

    def members(self):
        return [callee]

    def process(self, member):
        return self.the_process

    def address(self, member):
        return Address(self.target.host, self.target.port)

    @contextmanager
    def journal(self, what, **facts):
        yield


@asynccontextmanager
async def bench(barriers=True):
    """A bench with the target up."""
    async with running(Settings(service_name="payments", barriers=barriers), build) as target:
        yield Bench(target)


@asynccontextmanager
async def load(bench):
    """An operation at a time, each at once after the one before."""

    async def send():
        async with ClientSession() as http:
            for number in range(1_000_000):
                async with http.post(f"{bench.target.url}/steps/op-{number}") as response:
                    assert response.status == 200

    task = asyncio.create_task(send())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(("make", "state"), [(faults.kill, "gone"), (faults.pause, "paused")])
async def test_a_fault_hits_while_an_operation_stands_at_the_barrier(make, state):
    """The signal comes while it is held, and the receipt says that it was reached, when, and by which operation."""
    fault = make(callee, at="between")
    async with bench() as it, load(it):
        async with fault.inject(it) as read_back:
            assert it.the_process.held_at_signal is True
            assert read_back["barrier"] == "between"
            assert read_back["reached"] is True
            assert read_back["reached_by"].startswith("op-")
            assert read_back["reached_after_s"] >= 0
            assert read_back["state"] == state
        assert it.the_process.now == "running"
        assert not it.target.service.barriers.point("between").is_armed


@pytest.mark.parametrize("make", [faults.kill, faults.pause])
async def test_a_barrier_that_is_not_reached_leaves_the_process_alone(make):
    """No operation came by: no signal, and the receipt says so."""
    async with bench() as it, make(callee, at="between", within_s=0.05).inject(it) as read_back:
        assert read_back == {"barrier": "between", "reached": False, "within_s": 0.05, "state": "running"}
        assert it.the_process.held_at_signal is None


async def test_a_fault_cut_short_while_it_waits_holds_nothing():
    """A cancelled wait leaves no armed point behind once its time is over."""
    async with bench() as it:
        between = it.target.service.barriers.point("between")
        fault = faults.kill(callee, at="between", within_s=0.5)
        task = asyncio.create_task(fault.inject(it).__aenter__())
        while not between.is_armed:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert not between.is_armed
        assert it.the_process.now == "running"


async def test_a_barrier_that_is_not_there_is_told_before_the_load():
    """A mistyped name, and a target that was not told of barriers, are one clear error each."""
    wrong = faults.kill(callee, at="betwixt")
    async with bench() as it:
        with pytest.raises(LabError, match="payments has no barrier betwixt; it has: between"):
            await check(it, [wrong])
        with pytest.raises(LabError, match="There is no barrier betwixt; there are: between"):
            await wrong.inject(it).__aenter__()
        await check(it, [faults.kill(callee, at="between"), faults.kill(callee)])
        role = Role("leader", [callee], gauge="leads")
        with pytest.raises(LabError, match="no barrier betwixt"):
            await check(it, [faults.at(role, lambda member: faults.kill(member, at="betwixt"), "leader killed")])
    async with bench(barriers=False) as it:
        with pytest.raises(LabError, match="payments"):
            await check(it, [faults.kill(callee, at="between")])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: faults.kill(Backing("nats"), at="x"), "only services have barriers, and nats is a nats"),
        (lambda: faults.kill(callee, at=" "), "it takes the name of a barrier of payments"),
        (lambda: faults.pause(callee, at="x", within_s=0), "within_s is 0"),
        (lambda: faults.pause(callee, within_s=1), "there is no barrier to wait for"),
    ],
)
def test_what_cannot_be_is_refused(make, words):
    """A mistake in a scenario file is told where it is made."""
    with pytest.raises(ValueError) as raised:
        make()
    assert words in str(raised.value)


def test_a_fault_at_a_barrier_as_plain_data():
    """A record keeps the point and the wait; a fault without one is as it was."""
    assert faults.spec(faults.kill(callee, at="between")).args == {"at": "between", "within_s": 1.0}
    assert faults.spec(faults.kill(callee, at="between")).text == "payments killed at between"
    assert faults.spec(faults.pause(callee)).args == {}
    assert faults.kill(callee, at="between").barriers == {callee: "between"}
    assert faults.kill(callee).barriers == {}
