"""What the kit does for every target, seen from outside on a real socket."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import Any, TypeVar

import pytest
from aiohttp import ClientError, ClientSession, web
from prometheus_client.parser import text_string_to_metric_families
from target_bench import Lines, Start, series

from targets.kit import NoAnswer, Problem, Running, Service, Settings, running

pytestmark = pytest.mark.e2e

T = TypeVar("T")
TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def build(settings: Settings, service: Service) -> web.Application:
    """A target with a route for each way a handler can end, and one peer: itself."""
    app = web.Application(client_max_size=100)

    async def ok(request: web.Request) -> web.Response:
        return web.json_response(dict(request.headers))

    async def slow(request: web.Request) -> web.Response:
        await asyncio.sleep(float(request.query["s"]))
        return web.Response(text="done")

    async def block(request: web.Request) -> web.Response:
        time.sleep(0.3)  # noqa: ASYNC251
        return web.Response()

    async def crash(request: web.Request) -> web.Response:
        raise RuntimeError("a secret")

    async def refuse(request: web.Request) -> web.Response:
        raise Problem(429, "too-many", "Come back later.", {"Retry-After": "1"}, {"limit": 5})

    async def away(request: web.Request) -> web.Response:
        raise web.HTTPFound("/items/1")

    async def echo(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    async def call(request: web.Request) -> web.Response:
        peer = service.peer("itself", str(request.url.origin()), 5)
        answer = await peer.get("/items/1?secret=1")
        return web.json_response(answer.read(dict[str, str]))

    app.add_routes([web.get("/items/{id}", ok), web.get("/slow", slow), web.get("/block", block)])
    app.add_routes([web.get("/crash", crash), web.get("/refuse", refuse), web.get("/away", away)])
    app.add_routes([web.post("/echo", echo), web.get("/call", call)])
    return app


@pytest.fixture
async def target(start: Start) -> Running:
    """The target above, running."""
    return await start(Settings(service_name="sample", run_id="r"), build)


async def get(http: ClientSession, target: Running, path: str, **headers: str) -> tuple[int, str, Any]:
    """GET. Returns status, text and headers."""
    async with http.get(target.url + path, headers=headers, allow_redirects=False) as response:
        return response.status, await response.text(), response.headers


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Origin", "https://evil.test"),
        ("Host", "evil.test:8080"),
        ("Host", "evil.test"),
        ("Sec-Fetch-Site", "cross-site"),
    ],
)
async def test_a_page_in_a_browser_changes_nothing(
    http: ClientSession, target: Running, lines: Lines, name: str, value: str
) -> None:
    """A page of another site is refused, on every route, before the handler and before anything is counted."""
    for path in ("/items/1", "/crash", "/healthz", "/metrics", "/nowhere"):
        status, text, headers = await get(http, target, path, **{name: value})
        assert (status, headers["Content-Type"]) == (403, "application/problem+json")
        assert "page-refused" in text
    async with http.post(target.url + "/echo", data=b"x", headers={name: value}) as response:
        assert response.status == 403
    assert series(target, "http_server_request_duration_seconds_count") == 0
    assert lines.all(event="span") == []


@pytest.mark.parametrize("host", ["exchange:8080", "127.0.0.1:1", "[::1]:80", "localhost", "10.0.0.5:5558"])
async def test_callers_name_a_target_as_they_reach_it(http: ClientSession, target: Running, host: str) -> None:
    """A container's name, a proxy's address, another machine's address of the way in."""
    assert (await get(http, target, "/items/1", Host=host))[0] == 200


async def test_health_is_told_and_never_measured(http: ClientSession, target: Running, lines: Lines) -> None:
    """The three routes answer; none shows in the metrics or the spans, so that watching changes nothing."""
    assert (await get(http, target, "/healthz"))[:2] == (200, '{"status":"ok","service":"sample","run":"r"}')
    assert (await get(http, target, "/readyz"))[:2] == (200, '{"status":"ready"}')
    target.service.readiness.hold("warming up")
    target.service.readiness.hold("no leader")
    status, text, _ = await get(http, target, "/readyz")
    assert (status, text) == (503, '{"status":"not ready","reasons":["warming up","no leader"]}')
    target.service.readiness.release("warming up")
    target.service.readiness.release("no leader")
    assert (await get(http, target, "/readyz"))[0] == 200
    _, text, _ = await get(http, target, "/metrics")
    assert series(target, "http_server_request_duration_seconds_count") == 0
    for path in ("/healthz", "/readyz", "/metrics"):
        assert f'http_route="{path}"' not in text
    assert lines.all(event="span") == []


async def test_metrics_speak_prometheus(http: ClientSession, target: Running) -> None:
    """/metrics is in Prometheus's text format and has all that an experiment needs, the process included."""
    await get(http, target, "/items/1")
    _, text, headers = await get(http, target, "/metrics")
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    families = {family.name: family for family in text_string_to_metric_families(text)}
    samples = families["http_server_request_duration_seconds"].samples
    (count,) = [sample for sample in samples if sample.name.endswith("_count") and sample.value]
    assert count.labels == {
        "http_request_method": "GET",
        "http_route": "/items/{id}",
        "http_response_status_code": "200",
    }
    assert count.value == 1
    for name in ("event_loop_lag_seconds", "process_cpu_seconds", "process_resident_memory_peak_bytes"):
        assert families[name].samples
    assert "_created" not in text


@pytest.mark.parametrize(
    ("path", "status", "route", "kind"),
    [
        ("/crash", 500, "/crash", "internal-error"),
        ("/refuse", 429, "/refuse", "too-many"),
        ("/nowhere/123", 404, "", "not-found"),
        ("/echo", 405, "", "method-not-allowed"),
    ],
)
async def test_errors_are_problems(
    path: str, status: int, route: str, kind: str, http: ClientSession, target: Running
) -> None:
    """Every error is problem+json, counted under its route; paths that strangers invent make no series."""
    got, text, headers = await get(http, target, path)
    assert (got, headers["Content-Type"]) == (status, "application/problem+json")
    assert f'"type":"tag:chaos-lab,2026:{kind}"' in text
    counted = series(
        target, "http_server_request_duration_seconds_count", http_route=route, http_response_status_code=str(status)
    )
    assert counted == 1
    assert "a secret" not in text


async def test_a_problem_has_its_own_members_and_headers(http: ClientSession, target: Running) -> None:
    """What a handler says of a problem reaches the client."""
    _, text, headers = await get(http, target, "/refuse")
    assert headers["Retry-After"] == "1"
    assert text == (
        '{"type":"tag:chaos-lab,2026:too-many","title":"Too many","status":429,"detail":"Come back later.","limit":5}'
    )


async def test_redirects_stay_redirects(http: ClientSession, target: Running) -> None:
    """An answer that aiohttp raises below 400 is no problem."""
    status, _, headers = await get(http, target, "/away")
    assert (status, headers["Location"]) == (302, "/items/1")


async def test_too_large_a_body_is_a_problem(http: ClientSession, target: Running) -> None:
    """A body over the application's bound is refused with a problem."""
    async with http.post(target.url + "/echo", data=b"x" * 101) as response:
        assert response.status == 413
        assert response.content_type == "application/problem+json"


async def test_an_unforeseen_error_is_in_the_log(http: ClientSession, target: Running, lines: Lines) -> None:
    """The log has the traceback that the client must not see, under the request's trace."""
    await get(http, target, "/crash", traceparent=f"00-{TRACE}-{CALLER}-01")
    (line,) = lines.all(event="unhandled error")
    assert line["trace_id"] == TRACE
    assert "a secret" in line["traceback"]


async def test_methods_that_strangers_invent_make_no_series(http: ClientSession, target: Running) -> None:
    """A method that the convention does not know is counted as _OTHER."""
    async with http.request("PROPFIND", target.url + "/items/1") as response:
        assert response.status == 405
    assert series(target, "http_server_request_duration_seconds_count", http_request_method="_OTHER") == 1


async def test_a_trace_goes_through(http: ClientSession, target: Running, lines: Lines) -> None:
    """Server and client spans of a call form one chain of parents from the caller to the last callee."""
    _, text, _ = await get(http, target, "/call", traceparent=f"00-{TRACE}-{CALLER}-01", tracestate="v=1")
    inner, client, outer = lines.all(event="span")
    assert [line["kind"] for line in (outer, client, inner)] == ["server", "client", "server"]
    assert [line["name"] for line in (outer, client, inner)] == ["GET /call", "GET /items/1", "GET /items/{id}"]
    assert {line["trace_id"] for line in (outer, client, inner)} == {TRACE}
    assert outer["parent_id"] == CALLER
    assert client["parent_id"] == outer["span_id"]
    assert inner["parent_id"] == client["span_id"]
    assert outer["start"] <= client["start"] <= inner["start"]
    assert outer["duration_ms"] >= client["duration_ms"] >= inner["duration_ms"] >= 0
    assert (client["peer"], client["status"], client["error"]) == ("itself", 200, "")
    assert '"tracestate": "v=1"' in text


async def test_a_blocked_loop_shows_as_lag(http: ClientSession, target: Running) -> None:
    """A handler that blocks for 0.3 s shows in the loop's lag, and still does some ticks later."""
    await asyncio.sleep(0.15)
    await get(http, target, "/block")
    await asyncio.sleep(0.3)
    assert 0.2 < series(target, "event_loop_lag_seconds") < 10


async def test_requests_in_flight_are_counted_exactly(http: ClientSession, target: Running) -> None:
    """A request is in flight from its beginning to its end, on both sides of the call."""
    calls = [asyncio.create_task(get(http, target, "/slow?s=0.5")) for _ in range(5)]
    most = 0.0
    while not all(call.done() for call in calls):
        most = max(most, series(target, "http_server_active_requests", http_route="/slow"))
        await asyncio.sleep(0.02)
    assert most == 5
    await asyncio.gather(*calls)
    assert series(target, "http_server_active_requests") == 0


async def later(delay_s: float, call: Awaitable[T]) -> T:
    """Make a call after a while."""
    await asyncio.sleep(delay_s)
    return await call


async def test_draining_finishes_what_is_in_flight(lines: Lines) -> None:
    """While it stops a target answers what it has begun, is not ready on kept connections, and then is gone."""
    async with ClientSession() as http, ClientSession() as watcher:
        async with running(Settings(service_name="sample"), build, lines.log) as target:
            await get(watcher, target, "/healthz")
            call = asyncio.create_task(get(http, target, "/slow?s=1"))
            await asyncio.sleep(0.1)
            asked = asyncio.create_task(later(0.1, get(watcher, target, "/readyz")))
        status, text, headers = await call
        assert (status, text, headers["Connection"]) == (200, "done", "close")
        status, text, headers = await asked
        assert (status, headers["Connection"]) == (503, "close")
        with pytest.raises(OSError):
            await get(http, target, "/healthz")
    assert lines.all(event="requests given up") == []


async def test_draining_has_an_end(lines: Lines) -> None:
    """What is not finished after the grace is given up, and the log says how much that was."""
    loop = asyncio.get_running_loop()
    async with ClientSession() as http:
        async with running(Settings(service_name="sample", shutdown_grace_s=0.2), build, lines.log) as target:
            call = asyncio.create_task(get(http, target, "/slow?s=30"))
            await asyncio.sleep(0.1)
            began_s = loop.time()
        assert loop.time() - began_s < 5
        with pytest.raises(ClientError):
            await call
    (line,) = lines.all(event="requests given up")
    assert (line["requests"], line["level"]) == (1, "warning")
    (span,) = lines.all(event="span", kind="server")
    assert span["status"] == 0


async def test_an_attempt_is_never_repeated_behind_our_back(lines: Lines, target: Running) -> None:
    """A GET on a kept connection that the peer has just closed fails once; no second request is sent unseen."""
    requests = 0

    async def one_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        await reader.readuntil(b"\r\n\r\n")
        requests += 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        await reader.readuntil(b"\r\n\r\n")  # the second request on this connection, which gets no answer
        requests += 1
        writer.transport.abort()

    server = await asyncio.start_server(one_answer, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        peer = target.service.peer("other", url, 5)
        assert (await peer.get("/")).status == 200
        with pytest.raises(NoAnswer, match="other: reset") as none:
            await peer.get("/")
    assert none.value.never_sent is False
    assert requests == 2
    assert series(target, "http_client_request_duration_seconds_count", peer="other") == 2


async def shown(http: ClientSession, target: Running, family: str) -> dict[tuple[str, ...], float]:
    """Label values, in the order of their names, to the count of each series of a histogram, as Prometheus reads it."""
    text = (await get(http, target, "/metrics"))[1]
    samples = [
        sample
        for each in text_string_to_metric_families(text)
        for sample in each.samples
        if sample.name == f"{family}_count"
    ]
    found = {tuple(value for _, value in sorted(sample.labels.items())): sample.value for sample in samples}
    assert len(found) == len(samples)
    return found


async def test_answers_are_there_at_0_before_the_first(http: ClientSession, target: Running) -> None:
    """rate() never sees a series' first jump: every route has its success and its failure from the first scrape on."""
    family = "http_server_request_duration_seconds"
    before = await shown(http, target, family)
    assert before["GET", "200", "/items/{id}"] == before["GET", "500", "/items/{id}"] == 0
    assert before["POST", "201", "/echo"] == before["POST", "500", "/echo"] == 0
    assert not [labels for labels in before if labels[0] == "HEAD" or labels[2] in ("/metrics", "/healthz", "/readyz")]
    await get(http, target, "/items/1")
    await get(http, target, "/items/2")
    assert await shown(http, target, family) == {**before, ("GET", "200", "/items/{id}"): 2}


async def test_every_outcome_of_a_call_is_there_at_0_before_the_first(http: ClientSession, target: Running) -> None:
    """Each failure and each answer that a peer can give; and a peer that is opened again does not begin again."""
    family = "http_client_request_duration_seconds"
    assert await shown(http, target, family) == {}
    peer = target.service.peer("itself", target.url, 5, (200, 503))
    before = await shown(http, target, family)
    words = {"timeout", "refused", "unreachable", "reset", "garbled", "cancelled"}
    assert before == {(word, "POST", "", "itself"): 0 for word in words} | {
        ("", "POST", "200", "itself"): 0,
        ("503", "POST", "503", "itself"): 0,
    }
    assert (await peer.post("/echo", {})).status == 200
    target.service.peer("itself", target.url, 5, (200, 503))
    assert await shown(http, target, family) == {**before, ("", "POST", "200", "itself"): 1}


async def test_answers_of_a_route_that_is_not_there_are_refused(start: Start) -> None:
    """A misspelt route would leave its series out."""

    def misspelt(settings: Settings, service: Service) -> web.Application:
        service.answers("POST /ecco", 201)
        return build(settings, service)

    with pytest.raises(ValueError, match="routes that there are not: POST /ecco"):
        await start(Settings(service_name="sample"), misspelt)


async def test_a_cancelled_attempt_is_counted(target: Running) -> None:
    """An attempt whose caller gives up has been one all the same."""
    peer = target.service.peer("itself", target.url, 5)
    attempt = asyncio.create_task(peer.get("/slow?s=0.3"))
    await asyncio.sleep(0.1)
    assert series(target, "http_client_active_requests", peer="itself") == 1
    attempt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempt
    assert series(target, "http_client_active_requests", peer="itself") == 0
    assert series(target, "http_client_request_duration_seconds_count", error_type="cancelled") == 1


async def test_a_name_that_leads_nowhere_is_unreachable(target: Running) -> None:
    """A peer whose name does not resolve was never sent anything."""
    peer = target.service.peer("nowhere", "http://nowhere.invalid:1", 5)
    with pytest.raises(NoAnswer) as none:
        await peer.get("/")
    assert none.value.failure in ("unreachable", "timeout")
    assert none.value.never_sent == (none.value.failure == "unreachable")
