import asyncio
import re
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from rogue import LONG, rogue
from run_ids import fresh

from lab.load.driver import LoadDriver, Plan, Result
from lab.model import Load, Operation, Request, Service
from lab.record.tables import OPERATIONS
from lab.runtime.ports import free_port
from lab.runtime.supervisor import Supervisor

pytestmark = [pytest.mark.e2e, pytest.mark.greenlets]
TARGET = Service("target")


@pytest.fixture
async def supervisor(tmp_path: Path) -> AsyncIterator[Supervisor]:
    """Answer for the processes of a test."""
    async with Supervisor.open(tmp_path / "state", fresh("load")) as supervisor:
        yield supervisor


def in_turn(requests: Sequence[Request]) -> Operation:
    """Make an operation that sends these requests one after another."""
    return Operation("probe", lambda rng, n: requests[n % len(requests)])


async def send(supervisor: Supervisor, folder: Path, url: str, requests: Sequence[Request], timeout_s: float) -> Result:
    """Send each request once, 20 ms apart."""
    load = Load(in_turn(requests), to=TARGET, per_s=50, timeout_s=timeout_s)
    driver = await LoadDriver.start(Plan([url], load, len(requests) / 50, seed=1), supervisor.spawn, folder)
    driver.begin(time.perf_counter() + 0.1)
    return await driver.finish()


EXPECTED: dict[str, tuple[str, int | None, str | None]] = {
    "GET /ok": ("ok", 201, None),
    "POST /ok": ("ok", 201, None),
    "HEAD /ok": ("ok", 201, None),
    "GET /empty": ("ok", 204, None),
    "GET /moved": ("ok", 302, None),
    "GET /chunked": ("ok", 200, None),
    "GET /until-closed": ("ok", 200, None),
    "GET /last": ("ok", 200, None),
    "GET /interim": ("ok", 200, None),
    "GET /forgetful": ("ok", 201, None),
    "POST /answer-then-reset": ("ok", 201, None),
    "GET /missing": ("fail", 404, "http 404"),
    "POST /broken": ("fail", 503, "http 503"),
    "POST /gateway": ("info", 504, "http 504"),
    "POST /closed": ("info", None, "closed"),
    "GET /closed": ("info", None, "closed"),
    "PUT /closed": ("info", None, "closed"),
    "PUT /half": ("info", None, "closed"),
    "DELETE /reset": ("info", None, "reset"),
    "GET /reset": ("info", None, "reset"),
    "GET /garbage": ("info", None, "garbled"),
    "GET /silent": ("info", None, "timeout"),
    "GET /drip": ("info", None, "timeout"),
}


async def test_every_ending(supervisor, tmp_path):
    """Every way in which an exchange can end is told apart, and nothing is ever sent twice or redirected."""
    requests = [Request(*line.split(" ")) for line in EXPECTED for _ in range(2)]
    async with rogue() as seen:
        result = await send(supervisor, tmp_path / "load", seen.url, requests, timeout_s=0.6)
    found = {(request.method + " " + request.path, n): None for n, request in enumerate(requests)}
    for row, key in zip(result.rows, found, strict=True):
        assert (row["outcome"], row["status"], row["error"]) == EXPECTED[key[0]], key
    assert seen.counts == dict.fromkeys(EXPECTED, 2)
    assert result.facts.asked == result.facts.started == result.facts.finished == len(requests)
    assert result.notes == []


async def test_time_limit_is_for_the_whole(supervisor, tmp_path):
    """The time limit holds for the whole exchange: bytes that trickle in do not prolong it."""
    async with rogue() as seen:
        result = await send(supervisor, tmp_path / "load", seen.url, [Request("GET", "/drip")], timeout_s=0.5)
    (row,) = result.rows
    assert 0.45 < row["end_s"] - row["start_s"] < 1.5


async def test_refused(supervisor, tmp_path):
    """A refused connection is a failure, not a doubt: nothing can have happened."""
    url = f"http://127.0.0.1:{free_port()}"
    result = await send(supervisor, tmp_path / "load", url, [Request("POST", "/trades")] * 3, timeout_s=1)
    assert [(row["outcome"], row["status"], row["error"]) for row in result.rows] == [("fail", None, "refused")] * 3


async def test_what_is_sent_and_kept(supervisor, tmp_path):
    """Body, headers and trace go out as asked; key, value and the first 4 kB of the answer stand in the row."""
    requests = [
        Request("POST", "/long", {"a": [1, "é"]}, {"Idempotency-Key": "i-7"}, key="k", value="v", keep_response=True),
        Request("GET", "/ok"),
        Request("GET", "/chunked", keep_response=True),
    ]
    async with rogue() as seen:
        result = await send(supervisor, tmp_path / "load", seen.url, requests, timeout_s=2)
    first, second, third = result.rows
    assert (first["operation"], first["key"], first["value"], first["response"]) == ("probe", "k", "v", LONG[:4096])
    assert (second["key"], second["value"], second["response"]) == (None, None, None)
    assert third["response"] == "hello world"
    assert seen.bodies[0] == b'{"a":[1,"\\u00e9"]}'
    assert "Idempotency-Key: i-7" in seen.heads[0]
    assert [line for line in seen.heads[0] if line.startswith("traceparent:")] == [
        f"traceparent: 00-{first['trace_id']}-0000000000000001-01"
    ]
    assert {*first, "trial", "variant", "phase"} == set(OPERATIONS.names)


async def test_large_body(supervisor, tmp_path):
    """A body larger than any socket's buffer arrives whole."""
    text = "y" * 8_000_000
    async with rogue() as seen:
        result = await send(supervisor, tmp_path / "load", seen.url, [Request("POST", "/ok", {"text": text})], 10)
    assert result.rows[0]["outcome"] == "ok"
    assert len(seen.bodies[0]) == len(text) + len('{"text":""}')


async def test_connections_are_reused(supervisor, tmp_path):
    """One operation at a time needs one connection; a hundred at a time get a hundred, and nobody queues."""
    async with rogue() as seen:
        await send(supervisor, tmp_path / "calm", seen.url, [Request("GET", "/ok")] * 20, timeout_s=2)
        assert seen.connections <= 3
        seen.connections = 0
        result = await send(supervisor, tmp_path / "silent", seen.url, [Request("GET", "/silent")] * 100, timeout_s=2.5)
    assert seen.connections == seen.most_at_once == 100
    assert {row["error"] for row in result.rows} == {"timeout"}


async def test_locust_counts_too(supervisor, tmp_path):
    """The requests stand in Locust's own statistics, failures among them."""
    async with rogue() as seen:
        await send(supervisor, tmp_path / "load", seen.url, [Request("GET", "/ok"), Request("GET", "/broken")] * 5, 2)
    log = (tmp_path / "load" / "locust.log").read_text()
    assert re.search(r"^GET +probe +10 +5\(50\.00%\)", log, re.MULTILINE)


def started_on_time(rows: Sequence[dict[str, Any]], within_s: float) -> bool:
    """Say whether every operation began when it was due, as far as a busy machine can."""
    return all(0 <= row["start_s"] - row["due_s"] < within_s for row in rows)


async def test_open_model_waits_for_nobody(supervisor, tmp_path):
    """While nothing is answered, operations still start when due; the wait counts from there."""
    async with rogue() as seen:
        load = Load("GET /silent", to=TARGET, per_s=50, timeout_s=1.0)
        driver = await LoadDriver.start(Plan([seen.url], load, 2.0, seed=1), supervisor.spawn, tmp_path / "load")
        driver.begin(time.perf_counter() + 0.1)
        await asyncio.sleep(1.0)
        result = await driver.finish()
    assert len(result.rows) == 100
    assert started_on_time(result.rows, 0.5)
    assert seen.most_at_once >= 40


async def test_a_load_goes_to_several_in_turn(supervisor, tmp_path):
    """Every other operation goes to every other address, also where one of them takes nothing."""
    load = Load("GET /ok", to=[TARGET, Service("another")], per_s=50)
    async with rogue() as seen:
        plan = Plan([seen.url, f"http://127.0.0.1:{free_port()}"], load, 0.2, seed=1)
        driver = await LoadDriver.start(plan, supervisor.spawn, tmp_path / "load")
        driver.begin(time.perf_counter() + 0.1)
        result = await driver.finish()
    assert [row["outcome"] for row in result.rows] == ["ok", "fail"] * 5


async def test_progress_counts(supervisor, tmp_path):
    """The newest sample tells how the load stands; there is none before the load begins."""
    async with rogue() as seen:
        load = Load(in_turn([Request("GET", "/ok"), Request("GET", "/broken")]), to=TARGET, per_s=100)
        driver = await LoadDriver.start(Plan([seen.url], load, 1.5, seed=1), supervisor.spawn, tmp_path / "load")
        assert driver.progress() is None
        driver.begin(time.perf_counter() + 0.1)
        await asyncio.sleep(1.2)
        sample = driver.progress()
        result = await driver.finish()
    assert sample is not None
    assert 0 < sample.finished <= sample.started <= 150
    assert sample.ok + sample.fail == sample.finished
    assert sample.p50_ms is not None
    last = driver.progress()
    assert last is not None
    assert (last.asked, last.started, last.ok, last.fail, last.in_flight) == (150, 150, 75, 75, 0)
    assert result.facts.cpu_s > 0
    assert result.facts.late_max_ms >= result.facts.late_p99_ms > 0
