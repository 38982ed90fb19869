"""Exchange, payments and ledger in a row, on real sockets: what retries at two hops make of one trade."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import ClientSession
from target_bench import Start, series

from targets import ledger
from targets.kit import Running

pytestmark = pytest.mark.e2e

TIMEOUT_S = 0.05


@pytest.fixture
async def silent(start: Start) -> Running:
    """A ledger that takes every booking and finishes none."""
    settings = ledger.LedgerSettings(service_name="ledger", work_ms=3_600_000, queue=1_000, shutdown_grace_s=0)
    return await start(settings, ledger.build)


async def trade(http: ClientSession, exchange: Running, trade_id: str) -> int:
    """POST a trade. Returns the status."""
    async with http.post(f"{exchange.url}/trades", json={"id": trade_id}) as response:
        return response.status


def attempts(caller: Running, peer: str) -> float:
    """As the engine counts them."""
    return series(caller, "http_client_request_duration_seconds_count", peer=peer)


@pytest.mark.parametrize(("retries", "at_payments", "at_the_ledger"), [(0, 1, 1), (1, 2, 4), (3, 4, 16)])
async def test_hops_multiply(
    http: ClientSession,
    silent: Running,
    start_payments: Start,
    start_exchange: Start,
    retries: int,
    at_payments: int,
    at_the_ledger: int,
) -> None:
    """One trade, n retries at each of two hops: (n + 1) squared attempts at the third, all in its queue."""
    payments = await start_payments(ledger_url=silent.url, ledger_timeout_s=TIMEOUT_S, retries=retries)
    exchange = await start_exchange(payments.url, payments_timeout_s=10, retries=retries)
    assert await trade(http, exchange, "t-1") == 502
    assert attempts(exchange, "payments") == at_payments
    assert attempts(payments, "ledger") == series(silent, "ledger_waiting") == at_the_ledger


async def test_budgets_at_both_hops_keep_the_load_near_the_requests(
    http: ClientSession, silent: Running, start_payments: Start, start_exchange: Start
) -> None:
    """A hundred trades that all fail: a full bucket and a twentieth of the requests at each hop."""
    said = {"retries": 3, "retry_budget": 0.05}
    payments = await start_payments(ledger_url=silent.url, ledger_timeout_s=TIMEOUT_S, **said)
    exchange = await start_exchange(payments.url, payments_timeout_s=10, **said)
    assert set(await asyncio.gather(*(trade(http, exchange, f"t-{n}") for n in range(100)))) == {502}
    assert 100 < attempts(exchange, "payments") <= 100 + 3 + 5
    assert attempts(exchange, "payments") < attempts(payments, "ledger") <= (100 + 3 + 5) * 1.05 + 3
