"""Around every request: its trace, its metrics, its line in the log, and an answer even where the handler fails."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Mapping, Sequence

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from targets.kit import barriers, health, tracing
from targets.kit.logs import Log
from targets.kit.metrics import Metrics
from targets.kit.problems import Problem, from_http_exception


class InFlight:
    """How many requests are being worked on, and a way to wait until none is."""

    def __init__(self) -> None:
        self.count = 0
        self._none = asyncio.Event()
        self._none.set()

    def begin(self) -> None:
        """One more."""
        self.count += 1
        self._none.clear()

    def end(self) -> None:
        """One less."""
        self.count -= 1
        if not self.count:
            self._none.set()

    async def none(self) -> None:
        """Wait until there is none."""
        await self._none.wait()


def expect(app: web.Application, metrics: Metrics, answers: Mapping[str, Sequence[int]]) -> None:
    """
    Export the series of every route at 0 from the start, one for each status that it can answer.

    `answers` gives the statuses of a route such as "POST /trades"; without one they are those of success. Each handler
    can also fail unforeseen, with a 500. What only a malformed request gets (400, 404, 405, 413, 422) is left out.
    Raises ValueError for a route that the application does not have.
    """
    said = dict(answers)
    for route in app.router.routes():
        if route.method == hdrs.METH_HEAD or route.resource is None:  # aiohttp adds a HEAD to each GET
            continue
        path = route.resource.canonical
        usual = (200, 201) if route.method == hdrs.METH_POST else (200,)
        for status in (*said.pop(f"{route.method} {path}", usual), 500):
            metrics.server_duration.expect(route.method, path, str(status))
        metrics.server_active.labels(route.method, path)
    if said:
        raise ValueError(f"answers are given for routes that there are not: {', '.join(said)}")


def observer(log: Log, metrics: Metrics, in_flight: InFlight) -> Middleware:
    """The outermost middleware of a target."""

    @web.middleware
    async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path in health.PATHS:
            return await handler(request)
        if request.path.startswith(barriers.PATH):  # the engine's, and no part of what is measured or drained
            return await answered(request, handler, log)
        route = route_of(request)
        method = request.method if request.method in hdrs.METH_ALL else "_OTHER"
        span = tracing.begin(tracing.caller(request.headers.get("traceparent"), request.headers.get("tracestate", "")))
        tracing.current.set(span)  # aiohttp gives each request a task, so nobody else sees this
        active = metrics.server_active.labels(method, route)
        status = ""  # stays empty only where the handler is cancelled
        began, began_s = time.time(), time.perf_counter()
        in_flight.begin()
        active.inc()
        try:
            response = await answered(request, handler, log)
            status = str(response.status)
            return response
        finally:
            in_flight.end()
            active.dec()
            took_s = time.perf_counter() - began_s
            metrics.server_duration.observe(took_s, method, route, status)
            log.info(
                "span",
                kind="server",
                name=f"{method} {route}".rstrip(),
                parent_id=span.parent_id,
                start=began,
                duration_ms=round(took_s * 1000, 3),
                status=int(status or 0),
            )

    return observe


async def answered(request: web.Request, handler: Handler, log: Log) -> web.StreamResponse:
    """The handler's answer, or its failure as a problem; an error that nobody foresaw is logged and says nothing."""
    try:
        return await handler(request)
    except Problem as problem:
        return problem.response()
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return from_http_exception(error).response()
    except web.RequestPayloadError as error:  # compressed garbage, a wrong length
        return Problem(400, "malformed-body", f"The body cannot be read: {' '.join(str(error).split())}").response()
    except Exception as error:
        log.error("unhandled error", error=repr(error), traceback=traceback.format_exc())
        return Problem(500, "internal-error", "The service failed; its log says why, under this trace.").response()


def route_of(request: web.Request) -> str:
    """The route's pattern, such as /trades/{id}; empty where none matched, so that strangers make no series."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else ""
