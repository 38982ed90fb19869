"""A running target: its parts, its listening socket, and the way it stops without dropping what it has begun."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from aiohttp import ClientSession, web

from targets.kit import health, pages
from targets.kit.barriers import Barriers
from targets.kit.health import Readiness
from targets.kit.logs import Log
from targets.kit.metrics import Metrics, new_metrics, watch_loop
from targets.kit.observe import InFlight, expect, observer
from targets.kit.peers import ANSWERS, Peer, open_session, outcomes
from targets.kit.settings import Settings

S = TypeVar("S", bound=Settings)
LAST_BYTES_S = 0.1  # for answers already made to leave, once the grace is over


@dataclass(frozen=True)
class Service:
    """What the kit hands to a target: its name, log, metrics, readiness, barriers, and its way to others."""

    name: str
    log: Log
    session: ClientSession
    metrics: Metrics = field(default_factory=new_metrics)
    readiness: Readiness = field(default_factory=Readiness)
    in_flight: InFlight = field(default_factory=InFlight)
    barriers: Barriers = field(default_factory=Barriers)
    statuses: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def peer(
        self, name: str, url: str, timeout_s: float, answers: Sequence[int] = ANSWERS, method: str = "POST"
    ) -> Peer:
        """The way to the service `name`, which answers at `url`, or through a proxy there, within `timeout_s`.

        The series of its attempts with this method are exported at 0 from the start: one for each status in `answers`,
        one for each failure.
        """
        self.expect_calls(name, answers, method)
        return Peer(name, url, timeout_s, self.session, self.log, self.metrics)

    def expect_calls(self, name: str, answers: Sequence[int] = ANSWERS, method: str = "POST") -> None:
        """Export the series of attempts at the service `name` at 0 from the start: each answer, each failure."""
        for labels in outcomes(method, name, answers):
            self.metrics.client_duration.expect(*labels)

    def answers(self, route: str, *statuses: int) -> None:
        """Say with which statuses a route such as "POST /trades" answers: these are exported at 0 from the start."""
        self.statuses[route] = statuses


@dataclass(frozen=True)
class Running:
    """A target that listens."""

    service: Service
    host: str
    port: int

    @property
    def url(self) -> str:
        """As an HTTP base URL, without a slash at the end."""
        return f"http://{self.host}:{self.port}"


Build = Callable[[S, Service], web.Application]


@asynccontextmanager
async def running(settings: S, build: Build[S], log: Log | None = None) -> AsyncIterator[Running]:
    """
    The target that `build` makes, ready on its own port while the block runs; then drained.

    Raises OSError where the address cannot be listened on. Tests use it as it stands; `serve` adds the process.
    """
    own_log = log or Log(settings.service_name, settings.log_level)
    async with open_session() as session:
        service = Service(settings.service_name, own_log, session)
        service.readiness.hold("starting")
        app = build(settings, service)
        app.middlewares.insert(0, observer(own_log, service.metrics, service.in_flight))
        app.middlewares.insert(0, pages.refuse)  # before anything is counted
        expect(app, service.metrics, service.statuses)  # before the kit adds routes of its own
        watched = service.readiness, service.metrics.exposition
        app.add_routes(health.routes(*watched, settings.service_name, settings.run_id))
        if settings.barriers:
            app.add_routes(service.barriers.routes())
        app.cleanup_ctx.append(_watched_loop(service))
        draining = asyncio.Event()
        app.on_response_prepare.append(_close_when(draining))
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=LAST_BYTES_S)
        await runner.setup()
        try:
            site = web.TCPSite(runner, settings.host, settings.port, backlog=1024)
            await site.start()
            host, port = runner.addresses[0][:2]
            service.readiness.release("starting")
            yield Running(service, host, port)
            service.readiness.hold("stopping")
            draining.set()
            await site.stop()
            await drain(service, settings.shutdown_grace_s)
        finally:
            await runner.cleanup()
            if log is None:
                own_log.close()


async def drain(service: Service, grace_s: float) -> None:
    """Wait until no request is being worked on, for `grace_s` at most; says in the log how many were given up."""
    try:
        async with asyncio.timeout(grace_s):
            await service.in_flight.none()
    except TimeoutError:
        service.log.warning("requests given up", requests=service.in_flight.count, grace_s=grace_s)


def _close_when(draining: asyncio.Event) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    async def close(request: web.Request, response: web.StreamResponse) -> None:
        if draining.is_set():  # so that the client opens its next connection elsewhere
            response.headers["Connection"] = "close"
            response.force_close()

    return close


def _watched_loop(service: Service) -> Callable[[web.Application], AsyncIterator[None]]:
    async def watched(app: web.Application) -> AsyncIterator[None]:
        watch = asyncio.create_task(watch_loop(service.metrics))
        yield
        watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watch

    return watched
