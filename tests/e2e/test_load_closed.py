import asyncio
import re
import time
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from rogue import rogue
from run_ids import fresh

from lab.errors import ScenarioError
from lab.load.driver import LoadDriver, Plan, Result
from lab.model import Load, Operation, Request, Service
from lab.runtime.supervisor import Supervisor

pytestmark = [pytest.mark.e2e, pytest.mark.alone]
TARGET = Service("target")


@pytest.fixture
async def supervisor(tmp_path: Path) -> AsyncIterator[Supervisor]:
    """Answer for the processes of a test."""
    async with Supervisor.open(tmp_path / "state", fresh("load")) as supervisor:
        yield supervisor


async def send(supervisor: Supervisor, folder: Path, url: str, load: Load, lasts_s: float) -> Result:
    """Run a load to its end."""
    driver = await LoadDriver.start(Plan([url], load, lasts_s, seed=1), supervisor.spawn, folder)
    driver.begin(time.perf_counter() + 0.1)
    return await driver.finish()


async def test_users_wait_and_think(supervisor, tmp_path):
    """Users send only when answered and done thinking, never more at once than there are, and stop in time."""
    load = Load("GET /slow", to=TARGET, users=4, think_s=0.1)
    async with rogue() as seen:
        result = await send(supervisor, tmp_path / "load", seen.url, load, 1.5)
    rows = result.rows
    assert seen.most_at_once <= 4
    assert all(row["due_s"] == row["start_s"] < 1.5 for row in rows)
    # Four users, each turn 50 ms of waiting and 100 ms of thought: at most 40 operations, somewhat fewer when busy.
    assert 12 <= len(rows) <= 40
    starts = [row["start_s"] for row in rows]
    assert all(later - earlier >= 0.15 for earlier, later in zip(starts, starts[4:], strict=False))
    assert result.facts.asked == result.facts.started == len(rows) == seen.counts["GET /slow"]


async def test_users_take_the_stream_in_order(supervisor, tmp_path):
    """The users take the requests of the seeded stream one after another, each once."""

    def make(rng: Random, n: int) -> Request:
        return Request("GET", f"/slow?{n}.{rng.randrange(1000)}", key=str(n))

    async with rogue() as seen:
        load = Load(Operation("read", make), to=TARGET, users=3)
        one = await send(supervisor, tmp_path / "one", seen.url, load, 0.5)
        paths = [head[0].split(" ")[1] for head in seen.heads]
        seen.heads.clear()
        await send(supervisor, tmp_path / "two", seen.url, load, 0.5)
        again = [head[0].split(" ")[1] for head in seen.heads]
    assert sorted(row["n"] for row in one.rows) == list(range(len(paths)))
    both = min(len(paths), len(again))
    assert both > 5
    assert set(paths[: both - 3]) <= set(again)


async def test_stream_never_ends(supervisor, tmp_path, monkeypatch):
    """Users who are quicker than the requests made in advance get more, each still once."""
    monkeypatch.setattr("lab.load.driver._AHEAD", 50)
    load = Load(Operation("read", lambda rng, n: Request("GET", "/ok", key=str(n))), to=TARGET, users=4)
    async with rogue() as seen:
        result = await send(supervisor, tmp_path / "load", seen.url, load, 2.0)
    assert len(result.rows) > 500
    assert sorted(int(row["key"]) for row in result.rows) == list(range(len(result.rows)))
    assert any("waited" in note for note in result.notes)


async def test_a_failing_request_function_ends_the_load_at_once(supervisor, tmp_path, monkeypatch):
    """Where no request can be made for its users, the load ends when it is looked at: the sentence, and no process."""
    monkeypatch.setattr("lab.load.driver._AHEAD", 20)

    def make(rng: Random, n: int) -> Request:
        if n >= 40:
            raise ValueError("no forty-first")
        return Request("GET", "/ok")

    load = Load(Operation("read", make), to=TARGET, users=2)
    sentence = 'operation "read": its function failed at arrival 40: ValueError: no forty-first'
    async with rogue() as seen:
        for look, name in ((LoadDriver.finish, "drained"), (progress_until_it_fails, "watched")):
            driver = await LoadDriver.start(Plan([seen.url], load, 3600, seed=1), supervisor.spawn, tmp_path / name)
            driver.begin(time.perf_counter() + 0.1)
            with pytest.raises(ScenarioError, match=re.escape(sentence)):
                await asyncio.wait_for(look(driver), 30)
            await driver.stop()
            await driver.stop()  # a second time is no mistake
            assert driver._locusts.head.returncode is not None


async def progress_until_it_fails(driver: LoadDriver) -> None:
    """Look at a load as a phase does, for as long as it goes well."""
    while True:
        driver.progress()
        await asyncio.sleep(0.05)


async def test_closed_model_hides_a_stall(supervisor, tmp_path):
    """One silent second costs a closed model one operation per user, and an open model all that came in that second."""

    async def at_most_one_late(load: Load, folder: Path) -> int:
        async with rogue() as seen:
            driver = await LoadDriver.start(Plan([seen.url], load, 2.5, seed=1), supervisor.spawn, folder)
            driver.begin(time.perf_counter() + 0.1)
            await asyncio.sleep(0.8)
            time.sleep(1.0)  # noqa: ASYNC251 - the server lives in this loop: it stalls
            result = await driver.finish()
        return sum(row["end_s"] - row["due_s"] > 0.4 for row in result.rows)

    assert await at_most_one_late(Load("GET /ok", to=TARGET, users=1, think_s=0.02), tmp_path / "closed") <= 1
    assert await at_most_one_late(Load("GET /ok", to=TARGET, per_s=50), tmp_path / "open") >= 25


async def test_rows_come_in_order(supervisor, tmp_path):
    """Rows are in the order in which their operations were due, whichever was answered first."""
    mix = Operation("mixed", lambda rng, n: Request("GET", "/slow" if n % 2 else "/ok"))
    async with rogue() as seen:
        plan = Plan([seen.url], Load(mix, to=TARGET, per_s=100), 0.5, seed=1)
        driver = await LoadDriver.start(plan, supervisor.spawn, tmp_path / "load")
        driver.begin(time.perf_counter() + 0.1)
        result = await driver.finish()
    assert all(a["due_s"] <= b["due_s"] for a, b in pairwise(result.rows))
    assert [row["n"] for row in result.rows] == list(range(50))
    assert [row["due_s"] for row in result.rows] == driver.due_s
