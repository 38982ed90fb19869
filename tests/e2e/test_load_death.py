import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from rogue import rogue
from run_ids import fresh
from waits import gone, until

from lab.errors import LabError, ScenarioError, StartError
from lab.load.driver import LoadDriver, Plan
from lab.model import Load, Operation, Request, Service
from lab.runtime.supervisor import Managed, Supervisor

pytestmark = [pytest.mark.e2e, pytest.mark.greenlets]
TARGET = Service("target")


class Watched:
    """The supervisor's spawn, and the last process it started."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self.process: Managed | None = None

    def __call__(self, *words, **options) -> Managed:
        self.process = self.supervisor.spawn(*words, **options)
        return self.process

    @property
    def pid(self) -> int:
        assert self.process
        return self.process.pid


@pytest.fixture
async def spawn(tmp_path: Path) -> AsyncIterator[Watched]:
    """Start processes under a supervisor."""
    async with Supervisor.open(tmp_path / "state", fresh("load")) as supervisor:
        yield Watched(supervisor)


async def test_killed_in_the_middle(spawn, tmp_path):
    """A load generator that is killed leaves what it had written, and the result says that it died."""
    async with rogue() as seen:
        plan = Plan([seen.url], Load("GET /ok", to=TARGET, per_s=50), 30.0, seed=1)
        driver = await LoadDriver.start(plan, spawn, tmp_path / "load")
        driver.begin(time.perf_counter() + 0.1)
        await until(lambda: (sample := driver.progress()) and sample.finished > 20)
        os.kill(spawn.pid, signal.SIGKILL)
        async with asyncio.timeout(10):
            result = await driver.finish()
    assert 20 < len(result.rows) < 1_500
    assert result.facts.asked == 1_500
    assert result.facts.started < 1_500
    (note,) = result.notes
    assert "The load generator died (killed by signal 9) after" in note


async def test_stopped_with_operations_in_flight(spawn, tmp_path):
    """Asked to end early, Locust writes down what is still unanswered: it may have happened."""
    async with rogue() as seen:
        plan = Plan([seen.url], Load("POST /silent", to=TARGET, per_s=50, timeout_s=20), 30.0, seed=1)
        driver = await LoadDriver.start(plan, spawn, tmp_path / "load")
        driver.begin(time.perf_counter() + 0.1)
        await until(lambda: seen.at_once > 10)
        await driver.stop()
        await driver.stop()
        result = await driver.finish()
        await gone(spawn.pid)
    assert len(result.rows) >= seen.counts["POST /silent"] > 10
    assert {(row["outcome"], row["end_s"], row["error"]) for row in result.rows} == {("info", None, "unanswered")}


async def test_hung_is_stopped(spawn, tmp_path):
    """A load generator that does not end in time is stopped, with a note, and what it wrote is kept."""
    async with rogue() as seen:
        plan = Plan([seen.url], Load("GET /ok", to=TARGET, per_s=50, timeout_s=0.2), 1.0, seed=1, drain_s=0.2)
        driver = await LoadDriver.start(plan, spawn, tmp_path / "load")
        driver.begin(time.perf_counter() + 0.1)
        await until(lambda: (sample := driver.progress()) and sample.finished > 5)
        os.kill(spawn.pid, signal.SIGSTOP)
        result = await driver.finish(grace_s=0.2)
        await gone(spawn.pid)
    assert result.notes == ["The load generator did not end by itself and was stopped."]
    assert len(result.rows) > 5


async def test_dies_at_start(spawn, tmp_path):
    """Where Locust cannot come up, the error carries its last lines, and nothing is left running."""
    plan = Plan(["http://no-such-host.invalid:80"], Load("GET /", to=TARGET, per_s=1), 1.0, seed=1)
    with pytest.raises(StartError, match=r"(?s)locust: exit code 1 at start; its last lines:.*gaierror"):
        await LoadDriver.start(plan, spawn, tmp_path / "load")
    await gone(spawn.pid)


async def test_bad_mix_leaves_nothing(spawn, tmp_path):
    """A mix that makes what cannot be sent is refused, and the Locust that waited for its plan is stopped."""
    mix = Operation("odd", lambda rng, n: Request("GET", "no slash"))
    with pytest.raises(ScenarioError, match='operation "odd"'):
        await LoadDriver.start(
            Plan(["http://127.0.0.1:1"], Load(mix, to=TARGET, per_s=1), 1.0, seed=1), spawn, tmp_path / "load"
        )
    await gone(spawn.pid)


@pytest.mark.parametrize("url", ["https://127.0.0.1:1", "127.0.0.1:80", "http://127.0.0.1:1/prefix", "http://"])
async def test_bad_url(spawn, tmp_path, url):
    """Only plain http://host:port can be sent to; anything else is said at once."""
    with pytest.raises(LabError, match="http://host:port"):
        await LoadDriver.start(Plan([url], Load("GET /", to=TARGET, per_s=1), 1.0, seed=1), spawn, tmp_path / "load")


async def test_paused_catches_up(spawn, tmp_path):
    """Operations that fell due while the load generator was paused still start, late, and their wait counts."""
    async with rogue() as seen:
        plan = Plan([seen.url], Load("GET /ok", to=TARGET, per_s=100), 2.0, seed=1)
        driver = await LoadDriver.start(plan, spawn, tmp_path / "load")
        driver.begin(time.perf_counter() + 0.1)
        await until(lambda: (sample := driver.progress()) and sample.finished > 5)
        os.kill(spawn.pid, signal.SIGSTOP)
        await asyncio.sleep(1.0)
        os.kill(spawn.pid, signal.SIGCONT)
        result = await driver.finish()
    assert len(result.rows) == 200
    assert result.facts.late_max_ms > 800
    assert max(row["end_s"] - row["due_s"] for row in result.rows) > 0.8
