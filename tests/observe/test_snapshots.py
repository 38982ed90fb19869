"""Snapshots of what services count."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from lab.observe.snapshots import TIMEOUT_S, snapshot, stands_at
from lab.record import TABLES
from lab.record.tables import column
from lab.runtime.ports import free_port

pytestmark = pytest.mark.e2e

PAGE = """# HELP calls_total Calls.
# TYPE calls_total counter
calls_total{peer="payments",code="201"} 7
calls_created{peer="payments",code="201"} 1.7e9
# TYPE took_seconds histogram
took_seconds_bucket{le="0.1"} 3
took_seconds_bucket{le="+Inf"} 4
took_seconds_sum 1.5
took_seconds_count 4
# TYPE in_flight gauge
in_flight 2
# TYPE ratio gauge
ratio NaN
"""


@asynccontextmanager
async def page(text: str, status: int = 200, wait_s: float = 0.0) -> AsyncIterator[str]:
    """A service whose /metrics is `text`; gives its base URL."""

    async def metrics(request: web.Request) -> web.Response:
        await asyncio.sleep(wait_s)
        return web.Response(text=text, status=status)

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    yield f"http://{host}:{port}"
    await runner.cleanup()


def counts(rows: list[dict[str, Any]], **wanted: str) -> Mapping[str, float]:
    """Values by metric, of rows whose labels hold what is wanted."""
    return {r["metric"]: r["value"] for r in rows if wanted.items() <= json.loads(r["labels"]).items()}


async def test_counters_gauges_and_histograms_become_rows() -> None:
    """Every finite sample is a row of the snapshot table, its labels as sorted JSON; times of creation are left out."""
    async with page(PAGE) as url:
        rows, notes = await snapshot({"exchange": url}, at_s=2.5)
    assert notes == []
    assert counts(rows) == {
        "calls_total": 7, "took_seconds_bucket": 4, "took_seconds_sum": 1.5, "took_seconds_count": 4, "in_flight": 2,
    }  # fmt: skip
    assert rows[0]["labels"] == '{"code": "201", "peer": "payments"}'
    assert {(row["service"], row["at_s"]) for row in rows} == {("exchange", 2.5)}
    own = {"trial": 1, "variant": "off", "phase": "fault", "edge": "start"}
    table = TABLES["snapshots"].empty_table().from_pylist([{**own, **row} for row in rows], schema=TABLES["snapshots"])
    assert len(column(table, "value")) == 6


async def test_what_is_exported_only_to_be_there_makes_no_rows() -> None:
    """Targets export each answer that they can give at 0 from the start, for rate(): of these the counts are kept."""
    name = "http_server_request_duration_seconds"
    lines = [
        f'{name}_{kind}{{status="{status}"}} {n}.0' for kind in ("count", "sum") for status, n in ((200, 3), (500, 0))
    ]
    async with page(
        "\n".join([f"# TYPE {name} histogram", *lines, "# TYPE shed_total counter", "shed_total 0.0", ""])
    ) as url:
        rows, _ = await snapshot({"exchange": url}, at_s=0)
    assert sorted((row["metric"], row["value"]) for row in rows) == [
        (f"{name}_count", 0),  # none was answered with 500: a claim on it is judged, and has a value
        (f"{name}_count", 3),
        (f"{name}_sum", 3),
        ("shed_total", 0),
    ]


async def test_a_service_that_does_not_answer_gives_a_note_and_no_row() -> None:
    """Silent, refused, failing and garbled services have no rows, and a note each; the others are not held up."""
    nobody = f"http://127.0.0.1:{free_port()}"
    async with page(PAGE) as well, page(PAGE, wait_s=5) as silent, page("", 500) as ill, page("a{b 1") as garbled:
        asked = {"silent": silent, "well": well, "nobody": nobody, "ill": ill, "garbled": garbled}
        async with asyncio.timeout(TIMEOUT_S * 4):
            rows, notes = await snapshot(asked, at_s=0)
    assert {row["service"] for row in rows} == {"well"}
    assert [note.split()[0] for note in notes] == ["silent", "nobody", "ill", "garbled"]
    assert notes[0] == "silent did not give its metrics within 1 s"
    assert "500" in notes[2]


@pytest.mark.e2e
async def test_a_real_service_counts_exactly(tmp_path: Path) -> None:
    """Between two snapshots of a real service lie exactly the requests that were sent."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    env = {**os.environ, "PORT": str(port), "WORK_MS": "0"}
    with (tmp_path / "log").open("wb") as log:
        child = await asyncio.create_subprocess_exec(sys.executable, "-m", "targets.payments", env=env, stdout=log)
    try:
        async with asyncio.timeout(15), aiohttp.ClientSession() as session:
            while (await snapshot({"payments": url}, at_s=0))[1]:  # noqa: ASYNC110 - another process sets no Event
                await asyncio.sleep(0.05)
            before, _ = await snapshot({"payments": url}, at_s=0)
            for n in range(17):
                body = {"amount_cents": 100, "buyer": "a", "seller": "b"}
                async with session.post(f"{url}/charges", json=body, headers={"Idempotency-Key": str(n)}) as response:
                    assert response.status < 300, await response.text()
            after, _ = await snapshot({"payments": url}, at_s=1)
    finally:
        child.terminate()
        await child.wait()
    served = "http_server_request_duration_seconds_count"
    assert counts(after)[served] - counts(before).get(served, 0) == 17
    assert counts(after)["payments_charges_total"] == 17


def test_a_gauge_is_read_from_its_own_lines() -> None:
    """Its value under whatever labels, of no metric whose name only begins so, and of a page that has others."""
    text = 'raft_is_leader_since 1\nraft_is_leader{node="a"} 0\nup{x="raft_is_leader"} 1\nin_flight 2\n'
    assert stands_at(text, "raft_is_leader", 0)
    assert not stands_at(text, "raft_is_leader", 1)
    assert stands_at(text, "in_flight", 2)
    assert not stands_at(text, "in", 2)
    assert not stands_at("", "in_flight", 2)
