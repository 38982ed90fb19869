"""Payments, on a real socket."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import ClientSession, web
from target_bench import Start, series

from targets import ledger
from targets.kit import Running, Service, Settings

pytestmark = pytest.mark.e2e

BODY = {"amount_cents": 500, "buyer": "alice", "seller": "bob"}


async def charge(http: ClientSession, url: str, key: str | None, body: Any = BODY) -> tuple[int, Any, Any]:
    """POST one charge. Returns status, body and headers."""
    headers = {} if key is None else {"Idempotency-Key": key}
    async with http.post(f"{url}/charges", json=body, headers=headers) as response:
        return response.status, await response.json(content_type=None), response.headers


async def read(http: ClientSession, url: str) -> Any:
    """GET as JSON."""
    async with http.get(url) as response:
        return await response.json()


async def test_a_charge_is_made_once_for_a_key(http: ClientSession, start_payments: Start) -> None:
    """The same key and body get the first answer again, marked as a replay, and move no more money."""
    payments = await start_payments()
    status, first, headers = await charge(http, payments.url, "t-1")
    assert (status, first) == (201, {"id": "ch-1", "key": "t-1", **BODY})
    assert "Idempotent-Replay" not in headers
    status, second, headers = await charge(http, payments.url, "t-1")
    assert (status, second, headers["Idempotent-Replay"]) == (201, first, "true")
    assert await read(http, f"{payments.url}/charges") == {"count": 1, "total_cents": 500}
    assert await read(http, f"{payments.url}/charges/keys") == {"effects": ["t-1"]}
    assert series(payments, "payments_charges_total") == 1
    assert series(payments, "payments_duplicate_charges_total") == 1


async def test_a_key_belongs_to_one_body(http: ClientSession, start_payments: Start) -> None:
    """The same key with another body is refused and changes nothing."""
    payments = await start_payments()
    await charge(http, payments.url, "t-1")
    status, problem, headers = await charge(http, payments.url, "t-1", BODY | {"amount_cents": 501})
    assert (status, headers["Content-Type"]) == (422, "application/problem+json")
    assert problem["type"] == "tag:chaos-lab,2026:idempotency-key-reused"
    assert await read(http, f"{payments.url}/charges?key=t-1") == {
        "count": 1,
        "total_cents": 500,
        "charges": [{"id": "ch-1", "key": "t-1", **BODY}],
    }


async def test_duplicates_at_once_do_the_work_once(http: ClientSession, start_payments: Start) -> None:
    """Twenty requests with one key that come while the work goes on all get the one charge."""
    payments = await start_payments(work_ms=100)
    answers = await asyncio.gather(*(charge(http, payments.url, "t-1") for _ in range(20)))
    assert {status for status, _, _ in answers} == {201}
    assert {body["id"] for _, body, _ in answers} == {"ch-1"}
    assert sum("Idempotent-Replay" in headers for _, _, headers in answers) == 19
    assert (await read(http, f"{payments.url}/charges"))["count"] == 1


async def test_a_caller_that_gives_up_does_not_undo_the_charge(http: ClientSession, start_payments: Start) -> None:
    """The charge of a caller that went away is made all the same, and its retry gets it."""
    payments = await start_payments(work_ms=200)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(charge(http, payments.url, "t-1"), 0.05)
    status, _, headers = await charge(http, payments.url, "t-1")
    assert (status, headers["Idempotent-Replay"]) == (201, "true")
    assert (await read(http, f"{payments.url}/charges"))["count"] == 1


async def test_work_takes_its_time_and_leaves_the_loop_free(http: ClientSession, start_payments: Start) -> None:
    """Charges of 200 ms run side by side: ten of them take far less than two seconds."""
    payments = await start_payments(work_ms=200)
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    await asyncio.gather(*(charge(http, payments.url, f"t-{n}") for n in range(10)))
    took_s = loop.time() - began_s
    assert 0.19 < took_s < 1.5


async def test_no_work_is_possible(http: ClientSession, start_payments: Start) -> None:
    """WORK_MS=0 charges at once."""
    payments = await start_payments(work_ms=0)
    assert (await charge(http, payments.url, "t-1"))[0] == 201


@pytest.mark.parametrize(
    ("key", "body", "status", "kind"),
    [
        (None, BODY, 400, "idempotency-key-missing"),
        ("k" * 256, BODY, 400, "idempotency-key-missing"),
        ("t-1", {}, 422, "invalid-body"),
        ("t-1", BODY | {"amount_cents": 0}, 422, "invalid-body"),
        ("t-1", BODY | {"amount_cents": "5"}, 422, "invalid-body"),
        ("t-1", BODY | {"buyer": ""}, 422, "invalid-body"),
        ("t-1", BODY | {"amount": 5}, 422, "invalid-body"),
    ],
)
async def test_wrong_charges_are_refused(
    key: str | None, body: Any, status: int, kind: str, http: ClientSession, start_payments: Start
) -> None:
    """What cannot be charged is answered with a problem of its own kind, and nothing is charged."""
    payments = await start_payments()
    got, problem, headers = await charge(http, payments.url, key, body)
    assert (got, problem["type"]) == (status, f"tag:chaos-lab,2026:{kind}")
    assert problem["status"] == status
    assert headers["Content-Type"] == "application/problem+json"
    assert (await read(http, f"{payments.url}/charges"))["count"] == 0
    assert await read(http, f"{payments.url}/charges?key=t-1") == {"count": 0, "total_cents": 0, "charges": []}


async def test_broken_json_is_a_bad_request(http: ClientSession, start_payments: Start) -> None:
    """A body that is no JSON is the client's fault."""
    payments = await start_payments()
    async with http.post(f"{payments.url}/charges", data=b"{", headers={"Idempotency-Key": "t-1"}) as response:
        assert response.status == 400
        assert (await response.json(content_type=None))["type"].endswith("malformed-json")


async def ledger_that_answers(start: Start, *statuses: int) -> Running:
    """A ledger that answers with these statuses in turn, the last one for ever."""
    left = list(statuses)

    def build(settings: Settings, service: Service) -> web.Application:
        async def post(request: web.Request) -> web.Response:
            return web.json_response({}, status=left.pop(0) if len(left) > 1 else left[0])

        app = web.Application()
        app.router.add_post("/entries", post)
        return app

    return await start(Settings(service_name="ledger"), build)


def attempts_at_the_ledger(payments: Running) -> float:
    """As the engine counts them."""
    return series(payments, "http_client_request_duration_seconds_count", peer="ledger")


async def test_a_charge_is_in_the_books(http: ClientSession, start: Start, start_payments: Start) -> None:
    """With a ledger, a charge is acknowledged once it is booked there under its key; a replay is not booked again."""
    books = await start(ledger.LedgerSettings(service_name="ledger", work_ms=1), ledger.build)
    payments = await start_payments(ledger_url=books.url)
    for _ in range(2):
        assert (await charge(http, payments.url, "t-1"))[0] == 201
    assert await read(http, f"{books.url}/entries/keys") == {"effects": ["t-1"]}
    assert attempts_at_the_ledger(payments) == 1


async def test_a_booking_that_fails_is_tried_again(http: ClientSession, start: Start, start_payments: Start) -> None:
    """As often as RETRIES says; then there is no charge, and the same key may begin anew."""
    payments = await start_payments(ledger_url=(await ledger_that_answers(start, 503, 502, 503, 201)).url, retries=2)
    status, problem, _ = await charge(http, payments.url, "t-1")
    assert (status, problem["type"]) == (502, "tag:chaos-lab,2026:charge-not-booked")
    assert attempts_at_the_ledger(payments) == 3
    assert await read(http, f"{payments.url}/charges/keys") == {"effects": []}
    status, _, headers = await charge(http, payments.url, "t-1")
    assert (status, "Idempotent-Replay" in headers) == (201, False)
    assert await read(http, f"{payments.url}/charges/keys") == {"effects": ["t-1"]}
    assert series(payments, "retries_total", peer="ledger") == 2


async def test_a_ledger_that_says_no_is_not_asked_again(
    http: ClientSession, start: Start, start_payments: Start
) -> None:
    """A 4xx would be the same next time."""
    payments = await start_payments(ledger_url=(await ledger_that_answers(start, 400)).url, retries=3)
    assert (await charge(http, payments.url, "t-1"))[0] == 502
    assert attempts_at_the_ledger(payments) == 1


async def test_whoever_waits_for_a_charge_shares_its_failure(
    http: ClientSession, start: Start, start_payments: Start
) -> None:
    """Five requests with one key while the ledger is silent: its two attempts are made once, not five times."""
    silent = await start(ledger.LedgerSettings(service_name="ledger", work_ms=60_000, shutdown_grace_s=0), ledger.build)
    payments = await start_payments(ledger_url=silent.url, ledger_timeout_s=0.2, retries=1)
    answers = await asyncio.gather(*(charge(http, payments.url, "t-1") for _ in range(5)))
    assert {(status, body["type"]) for status, body, _ in answers} == {(504, "tag:chaos-lab,2026:ledger-timeout")}
    assert attempts_at_the_ledger(payments) == 2
