"""A real Prometheus, scraping services that count by themselves."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession, web
from run_ids import fresh

from lab.errors import StartError
from lab.model import Panel
from lab.observe.panels import QUERY_TIMEOUT_S
from lab.observe.prometheus import Prometheus, Watch
from lab.runtime.supervisor import Supervisor
from lab.runtime.tools import Program, Tools

pytestmark = [pytest.mark.e2e, pytest.mark.untraced]
EMPTY = "Prometheus did not come to scrape a service: the panels are empty"
EPISODES = [(1, "off"), (1, "on")]
STATE = Panel("State", "state", legend="{{service}}")
SEEN = Panel("Seen", "count_over_time(state[1m])", legend="{{service}}")


@asynccontextmanager
async def service(state: int) -> AsyncIterator[str]:
    """A service with one gauge; gives its base URL."""

    async def metrics(request: web.Request) -> web.Response:
        return web.Response(text=f"state {state}\n")

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    yield f"http://{host}:{port}"
    await runner.cleanup()


@asynccontextmanager
async def started(tmp_path: Path) -> AsyncIterator[tuple[Prometheus, Supervisor]]:
    """Prometheus under a supervisor of its own."""
    program = Tools().need("prometheus")["prometheus"]
    async with Supervisor.open(tmp_path / "run", fresh("observed")) as supervisor:
        watch = Watch(["a", "b"], EPISODES, {"scenario": "s", "run": "r"})
        prometheus = await Prometheus.start(
            supervisor.spawn, program, tmp_path / "prometheus", tmp_path / "logs", watch
        )
        try:
            yield prometheus, supervisor
        finally:
            await prometheus.stop()


def pid_of(workdir: Path) -> int:
    """The process id of the Prometheus whose storage is below `workdir`."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if f"--storage.tsdb.path={workdir / 'data'}".encode() in words and words[0].endswith(b"prometheus"):
                return int(entry.name)
    raise AssertionError("no Prometheus runs")


async def test_panels_of_two_variants_are_kept_apart(tmp_path: Path) -> None:
    """Each variant is scraped from its start, its panels hold its own samples only, and refusals become notes."""
    async with started(tmp_path) as (prometheus, _):
        assert await prometheus.now(STATE) == []
        for state, (trial, variant) in enumerate(EPISODES, start=1):
            async with service(state) as a, service(state + 10) as b:
                began = time.time()
                assert await prometheus.set_targets(trial, variant, {"a": a, "b": b}) == []
                assert await prometheus.scraping()
                if variant == "on":  # announced before, so that it does not take Prometheus 5 s to notice
                    assert time.time() - began < 4
                t0 = time.time()
                await asyncio.sleep(3.2)
                assert dict(await prometheus.now(STATE)) == {"a": state, "b": state + 10}
                assert await prometheus.now(Panel("Top", "max(state)")) == [("", state + 10)]
                assert await prometheus.now(Panel("Scalar", "scalar(max(state))")) == [("", state + 10)]
                assert await prometheus.now(Panel("Text", '"a"')) == await prometheus.now(Panel("Bad", "((")) == []
                panels = [STATE, SEEN, Panel("Bad", "sum(("), Panel("Odd", "0 / 0")]
                found = await prometheus.collect(panels, t0, 3.0)
        rows = {(row["panel"], row["series"]): row for row in found.rows}  # the last of each
        assert set(rows) == {(panel, service) for panel in ("State", "Seen") for service in ("a", "b")}
        assert all(0 <= row["at_s"] <= 3 for row in found.rows)
        assert {row["value"] for row in found.rows if row["panel"] == "State"} == {2.0, 12.0}
        assert rows["Seen", "a"]["value"] <= 5  # a minute back, but not into the other variant
        assert [note[:28] for note in found.notes] == ['panel "Bad" (sum((): Prometh']


async def test_killed_in_the_middle_it_keeps_what_it_had(tmp_path: Path) -> None:
    """Killed in the middle, it says when it ended, gives the samples up to then, and works for the next variant."""
    async with started(tmp_path) as (prometheus, _), service(1) as a:
        await prometheus.set_targets(1, "off", {"a": a})
        assert await prometheus.scraping()
        t0 = time.time() - 3
        await asyncio.sleep(2.5)
        os.kill(pid_of(tmp_path / "prometheus"), signal.SIGKILL)
        await asyncio.sleep(0.5)
        assert await prometheus.now(STATE) == []
        found = await prometheus.collect([STATE], t0, 10.0)
        assert found.rows
        assert {row["series"] for row in found.rows} == {"a"}
        assert found.notes[0].endswith("came to scrape 3.0 s into the load: panels begin there")
        assert "s into the load: panels stop there" in found.notes[1]
        assert found.notes[2] == "Prometheus had ended (killed by SIGKILL) and was started again; its panels have a gap"
        os.kill(pid_of(tmp_path / "prometheus"), signal.SIGKILL)
        await asyncio.sleep(0.5)
        assert await prometheus.set_targets(1, "on", {"a": a}) == found.notes[2:]


async def test_mute_or_beyond_repair_it_costs_the_panels_only(tmp_path: Path) -> None:
    """A Prometheus that is stopped in its tracks, or cannot start again, gives notes in place of rows."""
    async with started(tmp_path) as (prometheus, _):
        await prometheus.set_targets(1, "off", {})
        assert not await prometheus.scraping(patience_s=0.1)
        pid = pid_of(tmp_path / "prometheus")
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(0.2)  # its threads stop one after the other
        found = await prometheus.collect([STATE], time.time(), 1.0)
        mute = f'panel "State" (state): Prometheus did not answer within {QUERY_TIMEOUT_S:g} s'
        assert (found.rows, found.notes) == ([], [EMPTY, mute])
        os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(0.3)
        (tmp_path / "prometheus" / "data" / "wal").rename(tmp_path / "wal")
        (tmp_path / "prometheus" / "data" / "wal").write_text("no folder")
        found = await prometheus.collect([STATE], time.time(), 1.0)
        assert found.rows == []
        assert "did not start again, so there are no panels" in found.notes[2]
        assert found.notes[3].startswith('panel "State" (state): Prometheus')


async def test_what_does_not_start_says_why(tmp_path: Path) -> None:
    """A Prometheus that ends at once raises StartError with its last log lines, and leaves nothing running."""
    program = Program("prometheus", Path("/bin/sh"))
    async with Supervisor.open(tmp_path / "run", fresh("observed")) as supervisor:
        with pytest.raises(StartError, match="prometheus ended before it was ready"):
            await Prometheus.start(supervisor.spawn, program, tmp_path / "p", tmp_path / "logs", Watch([], []))


async def test_no_page_reads_what_it_stores(tmp_path: Path) -> None:
    """An answer to a page's request has no word that would let the page read it; without one all is as ever."""
    async with started(tmp_path) as (prometheus, _), ClientSession() as http:
        for origin in ("https://evil.test", "null", "http://127.0.0.1:3000"):
            async with http.get(f"{prometheus.address.url}/api/v1/status/flags", headers={"Origin": origin}) as answer:
                assert answer.status == 200
                assert "Access-Control-Allow-Origin" not in answer.headers
