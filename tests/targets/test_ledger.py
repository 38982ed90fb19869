"""The ledger, on a real socket, alone and with a standby."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import ClientSession
from target_bench import Start, series, until

from targets import ledger
from targets.kit import Running

pytestmark = pytest.mark.e2e


async def book(http: ClientSession, url: str, key: str | None = "t-1", amount_cents: int = 500) -> tuple[int, Any]:
    """POST one booking. Returns status and body."""
    headers = {} if key is None else {"Idempotency-Key": key}
    async with http.post(f"{url}/entries", json={"amount_cents": amount_cents}, headers=headers) as response:
        return response.status, await response.json(content_type=None)


async def entries(http: ClientSession, url: str) -> Any:
    """The key of every entry."""
    async with http.get(f"{url}/entries/keys") as response:
        return (await response.json())["effects"]


async def started(start: Start, **said: object) -> Running:
    """A ledger with these settings."""
    return await start(ledger.LedgerSettings(service_name="ledger", **said), ledger.build)  # type: ignore[arg-type]


async def test_a_key_is_booked_once(http: ClientSession, start: Start) -> None:
    """The same key again does the work again, gets the same answer, and is no second entry."""
    target = await started(start, work_ms=1)
    assert await book(http, target.url) == (201, {"key": "t-1", "amount_cents": 500})
    assert await book(http, target.url) == (201, {"key": "t-1", "amount_cents": 500})
    assert await entries(http, target.url) == ["t-1"]
    assert (series(target, "ledger_booked_total"), series(target, "ledger_repeated_total")) == (1, 1)


async def test_a_booking_needs_a_key(http: ClientSession, start: Start) -> None:
    """Without one, or with one that is too long, it is refused."""
    target = await started(start)
    for key in (None, "", "k" * 256):
        status, problem = await book(http, target.url, key)
        assert (status, problem["type"]) == (400, "tag:chaos-lab,2026:idempotency-key-missing")
    assert await entries(http, target.url) == []


async def test_bookings_are_made_one_after_another(http: ClientSession, start: Start) -> None:
    """Eight bookings of 25 ms that come together take their 200 ms, in the order in which they came."""
    target = await started(start, work_ms=25)
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    first = asyncio.create_task(book(http, target.url, "t-0"))
    await until(target, "ledger_waiting", 1)
    await asyncio.gather(first, *(book(http, target.url, f"t-{n}") for n in range(1, 8)))
    assert loop.time() - began_s >= 0.19  # timers may ring a millisecond early
    assert sorted(await entries(http, target.url)) == [f"t-{n}" for n in range(8)]


async def test_a_full_queue_refuses_at_once(http: ClientSession, start: Start) -> None:
    """Where QUEUE bookings wait, the next one is told so, and not booked."""
    target = await started(start, work_ms=500, queue=1)
    first = asyncio.create_task(book(http, target.url, "t-1"))
    await until(target, "ledger_waiting", 1)
    status, problem = await book(http, target.url, "t-2")
    assert (status, problem["type"]) == (503, "tag:chaos-lab,2026:ledger-busy")
    assert (await first)[0] == 201
    assert await entries(http, target.url) == ["t-1"]
    assert series(target, "ledger_refused_total") == 1


async def test_every_so_many_bookings_stumble_and_a_retry_is_made(http: ClientSession, start: Start) -> None:
    """Each third attempt is refused and not booked, whatever its key; the next attempt at that key is booked."""
    target = await started(start, work_ms=0, stumble_every=3)
    answers = [await book(http, target.url, key) for key in ("t-1", "t-2", "t-3", "t-3", "t-4", "t-5")]
    assert [status for status, _ in answers] == [201, 201, 503, 201, 201, 503]
    assert answers[2][1]["type"] == "tag:chaos-lab,2026:ledger-stumbled"
    assert sorted(await entries(http, target.url)) == ["t-1", "t-2", "t-3", "t-4"]
    assert (series(target, "ledger_stumbled_total"), series(target, "ledger_booked_total")) == (2, 4)
    never = await started(start, work_ms=0)
    assert [(await book(http, never.url, f"t-{n}"))[0] for n in range(30)] == [201] * 30


async def test_the_work_is_done_for_those_who_have_gone(http: ClientSession, start: Start) -> None:
    """A caller that gives up does not take its booking out of the queue."""
    target = await started(start, work_ms=100)
    caller = asyncio.create_task(book(http, target.url))
    await until(target, "ledger_waiting", 1)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    assert series(target, "ledger_waiting") == 1
    await until(target, "ledger_waiting", 0)
    assert await entries(http, target.url) == ["t-1"]


async def test_an_entry_is_in_both_books(http: ClientSession, start: Start) -> None:
    """With a standby nothing is acknowledged before that has it too."""
    standby = await started(start, work_ms=1)
    target = await started(start, work_ms=1, standby_url=standby.url)
    assert (await book(http, target.url))[0] == 201
    assert await entries(http, target.url) == await entries(http, standby.url) == ["t-1"]
    assert series(target, "http_client_request_duration_seconds_count", peer="standby") == 1


async def test_without_the_standby_nothing_is_booked(http: ClientSession, start: Start) -> None:
    """A standby that is gone, late or full is an error and no entry; the next booking gets its turn all the same."""
    late = await started(start, work_ms=300, queue=1)
    for url, answered, why in (
        ("http://127.0.0.1:1", 502, "standby-unreachable"),
        (late.url, 504, "standby-timeout"),
        (late.url, 502, "standby-failed"),
    ):
        target = await started(start, work_ms=1, standby_url=url, standby_timeout_s=0.1)
        for key in ("t-1", "t-2")[: 1 if url == late.url else 2]:
            status, problem = await book(http, target.url, key)
            assert (status, problem["type"]) == (answered, f"tag:chaos-lab,2026:{why}")
        assert await entries(http, target.url) == []
        assert series(target, "ledger_waiting") == 0
