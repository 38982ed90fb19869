"""Exchange in front of payments, both on real sockets, with payments failing in every way."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientSession, TCPConnector, web
from target_bench import Lines, Start, series

from targets.kit import Running, Service, Settings

pytestmark = pytest.mark.e2e


async def trade(http: ClientSession, exchange: Running, body: Any = None) -> tuple[int, Any, Any]:
    """POST one trade. Returns status, body and headers."""
    async with http.post(f"{exchange.url}/trades", json=body) as response:
        return response.status, await response.json(content_type=None), response.headers


@asynccontextmanager
async def peer_that(
    behaves: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    """A TCP server that treats each connection so; yields its URL."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await behaves(reader, writer)
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take everything, say nothing."""
    while await reader.read(1000):
        pass


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take the request, then drop the connection."""
    await reader.readuntil(b"\r\n\r\n")


async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer with what is no HTTP."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"220 mail.example ESMTP\r\n\r\n")
    await writer.drain()


async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Promise more than is sent."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b'HTTP/1.1 201 Created\r\nContent-Length: 1000\r\n\r\n{"id":')
    await writer.drain()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


async def answering(start: Start, *statuses: int) -> Running:
    """A payments that answers with these statuses in turn, the last one for ever; 201 comes with a charge."""
    left = list(statuses)

    def build(settings: Settings, service: Service) -> web.Application:
        async def post(request: web.Request) -> web.Response:
            status = left.pop(0) if len(left) > 1 else left[0]
            return web.json_response({"id": "ch-1"}, status=status)

        app = web.Application()
        app.router.add_post("/charges", post)
        return app

    return await start(Settings(service_name="payments"), build)


def attempts(exchange: Running) -> float:
    """Attempts at payments, begun and ended, as the engine counts them."""
    done = series(exchange, "http_client_request_duration_seconds_count", peer="payments")
    return done + series(exchange, "http_client_active_requests", peer="payments")


async def test_a_trade_is_charged_under_its_id(
    http: ClientSession, start_payments: Start, start_exchange: Start
) -> None:
    """A trade answers with its charge, whose key is the trade's id, and can be read again."""
    payments = await start_payments()
    exchange = await start_exchange(payments.url)
    terms = {"amount_cents": 70, "buyer": "carol", "seller": "dave"}
    status, body, headers = await trade(http, exchange, {"id": "t-1", **terms})
    assert status == 201
    assert body["trade"] == {"id": "t-1", **terms, "outcome": "charged"}
    assert body["charge"] == {"id": "ch-1", "key": "t-1", **terms}
    async with http.get(exchange.url + headers["Location"]) as response:
        assert await response.json() == body
    assert attempts(exchange) == 1


async def test_trades_are_counted_by_outcome_without_payments(
    http: ClientSession, start: Start, start_exchange: Start
) -> None:
    """None at first; then one that was charged and one that was not, and reading them makes no call to payments."""
    exchange = await start_exchange((await answering(start, 201, 500)).url)

    async def counted() -> Any:
        async with http.get(f"{exchange.url}/trades") as response:
            assert response.status == 200
            return (await response.json())["trades"]

    assert await counted() == {}
    assert (await trade(http, exchange))[0] == 201
    status, problem, _ = await trade(http, exchange)
    assert status == 502, problem
    found = await counted()
    assert found.pop("charged") == 1
    assert list(found.values()) == [1]
    assert attempts(exchange) == 2


async def test_a_trade_needs_no_body(http: ClientSession, start_payments: Start, start_exchange: Start) -> None:
    """Without a body each trade gets an id of its own and the default terms."""
    exchange = await start_exchange((await start_payments()).url)
    async with http.post(f"{exchange.url}/trades") as response:
        first = await response.json()
    _, second, _ = await trade(http, exchange, {})
    assert first["trade"]["id"] != second["trade"]["id"]
    assert first["trade"]["amount_cents"] == 1000


async def test_a_trade_asked_again_is_not_charged_again(
    http: ClientSession, start_payments: Start, start_exchange: Start
) -> None:
    """The same trade again is answered from memory; other terms under its id are a conflict."""
    exchange = await start_exchange((await start_payments()).url)
    _, first, _ = await trade(http, exchange, {"id": "t-1"})
    status, second, headers = await trade(http, exchange, {"id": "t-1"})
    assert (status, second, headers["Idempotent-Replay"]) == (201, first, "true")
    assert attempts(exchange) == 1
    status, problem, _ = await trade(http, exchange, {"id": "t-1", "amount_cents": 1})
    assert (status, problem["type"]) == (409, "tag:chaos-lab,2026:trade-exists")


@pytest.mark.parametrize("body", [{"amount_cents": -1}, {"id": "a/b"}, {"id": ""}, {"price": 1}, []])
async def test_wrong_trades_are_refused(body: Any, http: ClientSession, start_exchange: Start) -> None:
    """What is no trade is refused before payments hears of it."""
    exchange = await start_exchange("http://127.0.0.1:1")
    status, problem, _ = await trade(http, exchange, body)
    assert (status, problem["type"]) == (422, "tag:chaos-lab,2026:invalid-body")
    assert attempts(exchange) == 0


async def test_an_unknown_trade_is_not_found(http: ClientSession, start_exchange: Start) -> None:
    """A trade nobody made is a 404 problem."""
    exchange = await start_exchange("http://127.0.0.1:1")
    async with http.get(f"{exchange.url}/trades/none") as response:
        assert response.status == 404
        assert (await response.json(content_type=None))["type"].endswith("no-such-trade")


@pytest.mark.parametrize(
    ("behaves", "status", "kind", "error_type"),
    [
        (silence, 504, "payments-timeout", "timeout"),
        (reset, 502, "payments-unreachable", "reset"),
        (nonsense, 502, "payments-unreachable", "garbled"),
        (half, 502, "payments-unreachable", "reset"),
    ],
)
async def test_no_answer_leaves_the_outcome_unknown(
    behaves: Any, status: int, kind: str, error_type: str, http: ClientSession, start_exchange: Start, lines: Lines
) -> None:
    """Silence, a reset and a broken answer each have their status, their error type, and an unknown outcome."""
    async with peer_that(behaves) as url:
        exchange = await start_exchange(url, payments_timeout_s=0.2)
        got, problem, headers = await trade(http, exchange, {"id": "t-1"})
    assert (got, problem["type"]) == (status, f"tag:chaos-lab,2026:{kind}")
    assert headers["Content-Type"] == "application/problem+json"
    assert (problem["trade"], problem["outcome"]) == ("t-1", "unknown")
    async with http.get(f"{exchange.url}/trades/t-1") as response:
        assert (await response.json())["trade"]["outcome"] == "unknown"
    counted = series(exchange, "http_client_request_duration_seconds_count", peer="payments", error_type=error_type)
    assert counted == attempts(exchange) == 1
    (span,) = lines.all(kind="client")
    assert (span["peer"], span["error"], span["status"]) == ("payments", error_type, 0)


async def test_a_refused_connection_charged_nothing(http: ClientSession, start_exchange: Start) -> None:
    """Where nobody listens the outcome is known: not charged."""
    exchange = await start_exchange(f"http://127.0.0.1:{free_port()}")
    status, problem, _ = await trade(http, exchange)
    assert (status, problem["failure"], problem["outcome"]) == (502, "refused", "not-charged")
    assert series(exchange, "http_client_request_duration_seconds_count", error_type="refused") == 1


async def test_an_error_of_payments_is_a_bad_gateway(http: ClientSession, start: Start, start_exchange: Start) -> None:
    """Payments' own errors become 502 and say which status it was; the retry may succeed."""
    exchange = await start_exchange((await answering(start, 500, 422, 201)).url)
    for status in (500, 422):
        got, problem, _ = await trade(http, exchange, {"id": "t-1"})
        assert (got, problem["payments_status"], problem["outcome"]) == (502, status, "unknown")
        counted = series(exchange, "http_client_request_duration_seconds_count", error_type=str(status))
        assert counted == 1
    got, body, _ = await trade(http, exchange, {"id": "t-1"})
    assert (got, body["trade"]["outcome"]) == (201, "charged")


async def test_the_breaker_spares_payments(http: ClientSession, start_exchange: Start) -> None:
    """After enough timeouts trades are refused at once with Retry-After, and payments is no longer tried."""
    async with peer_that(silence) as url:
        exchange = await start_exchange(
            url, payments_timeout_s=0.1, breaker=True, breaker_min_calls=3, breaker_open_s=60.0
        )
        for _ in range(3):
            assert (await trade(http, exchange))[0] == 504
        assert series(exchange, "breaker_state", peer="payments") == 2
        status, problem, headers = await trade(http, exchange)
    assert (status, problem["type"]) == (503, "tag:chaos-lab,2026:circuit-open")
    assert problem["outcome"] == "not-charged"
    assert 50 <= int(headers["Retry-After"]) <= 60
    assert attempts(exchange) == 3
    assert series(exchange, "breaker_refusals_total", peer="payments") == 1
    assert series(exchange, "breaker_transitions_total", peer="payments", to="open") == 1
    assert series(exchange, "breaker_transitions_total", peer="payments", to="closed") == 0


async def test_the_breaker_lets_payments_back_in(http: ClientSession, start: Start, start_exchange: Start) -> None:
    """Once payments is well again one probe closes the breaker by itself."""
    payments = await answering(start, 500, 503, 201)
    exchange = await start_exchange(payments.url, breaker=True, breaker_min_calls=2, breaker_open_s=0.2)
    assert [(await trade(http, exchange))[0] for _ in range(3)] == [502, 502, 503]
    await asyncio.sleep(0.25)
    assert (await trade(http, exchange))[0] == 201
    assert series(exchange, "breaker_state", peer="payments") == 0
    assert series(exchange, "breaker_transitions_total", peer="payments", to="half-open") == 1


async def test_quarrels_about_one_request_do_not_open_the_breaker(
    http: ClientSession, start: Start, start_exchange: Start
) -> None:
    """Refusals of payments with a 4xx are no sign of ill health."""
    exchange = await start_exchange((await answering(start, 422)).url, breaker=True, breaker_min_calls=2)
    assert [(await trade(http, exchange))[0] for _ in range(5)] == [502] * 5
    assert series(exchange, "breaker_state", peer="payments") == 0


async def test_calls_that_wait_do_not_queue_in_the_client(start_exchange: Start) -> None:
    """All of 150 calls reach a silent payments at the same time: the client keeps none back."""
    async with peer_that(silence) as url, ClientSession(connector=TCPConnector(limit=0)) as http:
        exchange = await start_exchange(url, payments_timeout_s=2.0)
        calls = [asyncio.create_task(trade(http, exchange)) for _ in range(150)]
        seen = 0.0
        while not all(call.done() for call in calls):
            await asyncio.sleep(0.02)
            seen = max(seen, series(exchange, "http_client_active_requests", peer="payments"))
        statuses = {status for status, _, _ in await asyncio.gather(*calls)}
    assert seen == 150
    assert statuses == {504}
    assert attempts(exchange) == 150


async def test_a_failed_charge_is_tried_again(http: ClientSession, start: Start, start_exchange: Start) -> None:
    """Two failures, then a charge: one trade, three attempts, and the client sees only that it went well."""
    exchange = await start_exchange((await answering(start, 500, 503, 201)).url, retries=3)
    status, body, _ = await trade(http, exchange, {"id": "t-1"})
    assert (status, body["trade"]["outcome"]) == (201, "charged")
    assert attempts(exchange) == 3
    assert series(exchange, "retries_total", peer="payments") == 2


async def test_a_quarrel_is_not_tried_again(http: ClientSession, start: Start, start_exchange: Start) -> None:
    """A 4xx would be the same next time."""
    exchange = await start_exchange((await answering(start, 422)).url, retries=3)
    assert (await trade(http, exchange))[0] == 502
    assert attempts(exchange) == 1


async def test_the_budget_bounds_the_retries(http: ClientSession, start: Start, start_exchange: Start) -> None:
    """Thirty trades that all fail and a budget of a tenth: the reserve of three, and a tenth of thirty."""
    exchange = await start_exchange((await answering(start, 500)).url, retries=3, retry_budget=0.1)
    for _ in range(30):
        await trade(http, exchange)
    retries = series(exchange, "retries_total", peer="payments")
    assert 3 + 2 <= retries <= 3 + 3  # the bucket was full at first, and what came on top was lost
    assert attempts(exchange) == 30 + retries
    assert series(exchange, "retries_denied_total", peer="payments") == 29  # the first one spent the reserve
