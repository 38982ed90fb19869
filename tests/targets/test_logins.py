"""Logins in front of a real directory: who holds the loop, what is answered, and what is counted."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from aiohttp import ClientSession, web
from target_bench import Lines, Start, series, until

from targets import directory, logins
from targets.kit import Running, Service, Settings, running
from targets.kit.service import Build, S

pytestmark = pytest.mark.e2e

ASKED = {"id": "login-1", "name": "ann", "password": "password of ann"}
WAYS = pytest.mark.parametrize("client", ["inline", "executor"])


@contextmanager
def elsewhere(settings: S, build: Build[S], lines: Lines) -> Iterator[Running]:
    """A target on an event loop of its own, in a thread, so that who blocks this one can still be answered."""
    ready, done, there = threading.Event(), threading.Event(), list[Running]()

    async def run() -> None:
        async with running(settings, build, lines.log) as target:
            there.append(target)
            ready.set()
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    assert ready.wait(10)
    try:
        yield there[0]
    finally:
        done.set()
        thread.join(30)
        assert not thread.is_alive()


@pytest.fixture
def directory_url(lines: Lines) -> Iterator[str]:
    """A directory that answers after 100 ms."""
    settings = directory.DirectorySettings(service_name="directory", check_ms=100)
    with elsewhere(settings, directory.build, lines) as target:
        yield target.url


async def log_in(http: ClientSession, url: str, **other: str) -> tuple[int, Any]:
    """POST one login. Returns status and body."""
    async with http.post(f"{url}/logins", json=ASKED | other) as response:
        return response.status, await response.json(content_type=None)


async def read(http: ClientSession, url: str) -> Any:
    """GET as JSON."""
    async with http.get(url) as response:
        return await response.json()


async def started(start: Start, url: str, client: str = "executor", **said: object) -> Running:
    """Logins in front of the directory at this URL."""
    settings = logins.LoginsSettings(service_name="logins", directory_url=url, client=client, **said)  # type: ignore[arg-type]
    return await start(settings, logins.build)


@WAYS
async def test_the_right_password_opens_one_session(
    http: ClientSession, start: Start, directory_url: str, client: str
) -> None:
    """It is answered under its own id, and counted and traced as any other call."""
    target = await started(start, directory_url, client)
    assert await log_in(http, target.url) == (201, {"id": "login-1", "name": "ann"})
    assert await read(http, f"{target.url}/logins/keys") == {"effects": ["login-1"]}
    assert await read(http, f"{target.url}/sessions") == {"sessions": 1}
    assert series(target, "http_client_request_duration_seconds_count", peer="directory", error_type="") == 1
    assert series(target, "http_client_active_requests", peer="directory") == 0


@WAYS
async def test_a_wrong_password_opens_none(http: ClientSession, start: Start, directory_url: str, client: str) -> None:
    """It is refused, and that is sure."""
    target = await started(start, directory_url, client)
    status, problem = await log_in(http, target.url, password="password of bob")
    assert (status, problem["type"]) == (403, "tag:chaos-lab,2026:wrong-password")
    assert await read(http, f"{target.url}/sessions") == {"sessions": 0}


async def test_the_trace_goes_on_to_the_directory(
    http: ClientSession, start: Start, directory_url: str, lines: Lines
) -> None:
    """The span of the call is the parent of the directory's."""
    target = await started(start, directory_url)
    await log_in(http, target.url)
    [call] = lines.all(kind="client", peer="directory")
    [served] = lines.all(kind="server", name="POST /checks")
    assert (served["trace_id"], served["parent_id"]) == (call["trace_id"], call["span_id"])


@pytest.mark.parametrize(("client", "order"), [("inline", ["login", "light"]), ("executor", ["light", "login"])])
async def test_inline_holds_the_loop_and_an_executor_does_not(
    http: ClientSession, start: Start, lines: Lines, client: str, order: list[str]
) -> None:
    """A light request that comes while the directory is asked is answered after the login, or long before it."""
    slow = directory.DirectorySettings(service_name="directory", check_ms=500)
    with elsewhere(slow, directory.build, lines) as asked:
        settings = logins.LoginsSettings(service_name="logins", directory_url=asked.url, client=client)  # type: ignore[arg-type]
        with elsewhere(settings, logins.build, lines) as target:
            login = asyncio.create_task(log_in(http, target.url))
            await until(asked, "http_server_active_requests", 1)
            await asyncio.gather(login, read(http, f"{target.url}/sessions"))
    names = {"POST /logins": "login", "GET /sessions": "light"}
    assert [names[line["name"]] for line in lines.all(kind="server") if line["name"] in names] == order


async def test_one_thread_takes_one_login_at_a_time(http: ClientSession, start: Start, directory_url: str) -> None:
    """Three logins and one thread: the last one waits for the two before it."""
    target = await started(start, directory_url, client_threads=1)
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    await asyncio.gather(*(log_in(http, target.url, id=f"login-{n}") for n in range(3)))
    assert loop.time() - began_s >= 0.29  # timers may ring a millisecond early


def broken(settings: Settings, service: Service) -> web.Application:
    """A directory that answers 500, and one that answers with something else than HTTP."""

    async def fail(request: web.Request) -> web.Response:
        return web.Response(status=500)

    app = web.Application()
    app.router.add_post("/checks", fail)
    return app


async def speak(text: bytes) -> tuple[asyncio.Server, str]:
    """A server that says this to whoever asks, and hangs up; with nothing to say, it just hangs up."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1024)
        writer.write(text)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_each_way_to_get_no_answer_is_told_apart(http: ClientSession, start: Start, directory_url: str) -> None:
    """Refused, late, hung up, garbled, failed: no session, and the metric says which it was."""
    hangs_up, silent_url = await speak(b"")
    babbles, garbled_url = await speak(b"good morning\r\n\r\n")
    failing = await start(Settings(service_name="directory"), broken)
    async with hangs_up, babbles:
        for url, status, failure in (
            ("http://127.0.0.1:1", 502, "refused"),
            (directory_url, 504, "timeout"),
            (silent_url, 502, "reset"),
            (garbled_url, 502, "garbled"),
            (failing.url, 502, "500"),
        ):
            target = await started(start, url, directory_timeout_s=0.05 if failure == "timeout" else 2)
            assert (await log_in(http, target.url))[0] == status, failure
            assert series(target, "http_client_request_duration_seconds_count", error_type=failure) == 1, failure
            assert await read(http, f"{target.url}/sessions") == {"sessions": 0}


async def test_a_host_without_a_way_to_it_is_unreachable() -> None:
    """What is neither a timeout nor a connection that ended."""
    from targets.kit.blocking import failure_of

    assert failure_of(OSError("no route to host")) == "unreachable"
