"""A whole fault proxy inside the test's own loop, with its API on a free port and small servers to stand behind it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientSession
from aiohttp.test_utils import TestServer

from lab.proxy.api import application
from lab.proxy.metrics import Metrics
from lab.proxy.proxies import Proxies, Proxy
from lab.proxy.relay import Wiring
from lab.proxy.timers import Timers, start_timers


@dataclass(frozen=True)
class Inside:
    """The parts of a running proxy; `call` speaks HTTP to it."""

    proxies: Proxies
    timers: Timers
    metrics: Metrics
    session: ClientSession
    server: TestServer

    async def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Status and text of one request; a body that is not bytes is sent as JSON."""
        sent = {"data": body} if isinstance(body, bytes) else {"json": body}
        async with self.session.request(method, self.server.make_url(path), **sent) as answer:  # type: ignore[arg-type]
            return answer.status, await answer.text()

    async def proxy(self, upstream: str, name: str = "edge", listen: str = "127.0.0.1:0") -> Proxy:
        """A proxy, on a free port unless told otherwise."""
        body = {"name": name, "listen": listen, "upstream": upstream}
        assert (await self.call("POST", "/proxies", body))[0] == 201
        return self.proxies.get(name)


@asynccontextmanager
async def inside(connect_timeout_s: float = 10, seed: int = 1, counted: bool = True) -> AsyncIterator[Inside]:
    """Runs one, with or without proxy metrics, and stops it."""
    timers, stop_timers = start_timers(asyncio.get_running_loop())
    metrics = Metrics(of_proxies=counted, of_runtime=True)
    proxies = Proxies(Wiring(timers, metrics.counter, seed, connect_timeout_s))
    async with TestServer(application(proxies, metrics)) as server, ClientSession() as session:
        yield Inside(proxies, timers, metrics, session, server)
        proxies.stop()
    stop_timers()


async def connect(proxy: Proxy) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A new connection through a proxy."""
    host, _, port = proxy.listen.rpartition(":")
    return await asyncio.open_connection(host, int(port))


@asynccontextmanager
async def echo_server() -> AsyncIterator[str]:
    """An echo that keeps half-closed connections; gives host:port."""

    class Echo(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport: asyncio.Transport = transport  # type: ignore[assignment]

        def data_received(self, data: bytes) -> None:
            self.transport.write(data)

    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0, backlog=1024)
    host, port = server.sockets[0].getsockname()
    yield f"{host}:{port}"
    server.close()


async def until(true: Any, within_s: float = 10) -> None:
    """Wait until something is true."""
    async with asyncio.timeout(within_s):
        while not true():  # noqa: ASYNC110 - nobody sets an Event for it
            await asyncio.sleep(0.005)
