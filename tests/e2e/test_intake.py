"""The intake on a real PostgreSQL: three ways to share commits, and what each answers where its turn does not come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from fault_season import stack_up

from lab.model import Backing
from lab.runtime.local import LocalRunning
from targets import intake
from targets.kit import Running, running

pytestmark = pytest.mark.e2e
POSTGRES = Backing("postgres")


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[LocalRunning]:
    """The server."""
    async with stack_up(tmp_path, [POSTGRES], []) as up:
        yield up


async def post(http: ClientSession, target: Running, name: str) -> int:
    """The status of an item."""
    async with http.post(f"{target.url}/items", json={"id": name}) as response:
        return response.status


async def test_each_way_keeps_what_it_acknowledges(stack: LocalRunning) -> None:
    """Forty at once, one of them twice; a batch makes fewer commits than items, the others one for each."""
    commits: dict[str, float] = {}
    for way in ("each", "batch", "connections"):
        said: dict[str, Any] = {"commit": way, "postgres_pool": 8 if way == "connections" else 1, "wait_s": 10.0}
        settings = intake.IntakeSettings(
            service_name="intake", log_level="error", postgres_url=stack.url(POSTGRES), **said
        )
        async with running(settings, intake.build) as target, ClientSession() as http:
            names = [f"{way}-{n}" for n in range(40)]
            assert await asyncio.gather(*(post(http, target, name) for name in [*names, names[0]])) == [201] * 41
            async with http.get(f"{target.url}/items") as response:
                assert set(names) <= set((await response.json())["effects"])
            async with http.get(f"{target.url}/metrics") as response:
                text = await response.text()
            commits[way] = next(float(x.split()[1]) for x in text.splitlines() if x.startswith("intake_commits_total "))
    assert commits["each"] == commits["connections"] == 41
    assert commits["batch"] < 41


async def test_one_whose_turn_does_not_come_is_refused(stack: LocalRunning) -> None:
    """COMMIT=each, WAIT_S of next to nothing: of twenty at once most get 503, and none of those is kept."""
    settings = intake.IntakeSettings(
        service_name="intake", log_level="error", postgres_url=stack.url(POSTGRES), wait_s=0.001
    )
    async with running(settings, intake.build) as target, ClientSession() as http:
        names = [f"turn-{n}" for n in range(20)]
        answers = dict(zip(names, await asyncio.gather(*(post(http, target, name) for name in names)), strict=True))
        async with http.get(f"{target.url}/items") as response:
            kept = set((await response.json())["effects"])
    assert set(answers.values()) == {201, 503}
    assert kept & set(names) == {name for name, status in answers.items() if status == 201}
