"""Liveness, readiness and metrics: the three routes by which others watch a target; nothing of them is measured."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from targets.kit.bodies import answer

PATHS = frozenset({"/healthz", "/readyz", "/metrics"})


class Readiness:
    """Why a target should get no traffic just now: `hold` a reason, `release` it; ready while none is held."""

    def __init__(self) -> None:
        self.reasons: dict[str, None] = {}  # in the order in which they came

    def hold(self, reason: str) -> None:
        """Not ready, for this reason too."""
        self.reasons[reason] = None

    def release(self, reason: str) -> None:
        """This reason is over."""
        self.reasons.pop(reason, None)


def routes(readiness: Readiness, exposition: Callable[[], bytes], service: str, run: str) -> list[web.RouteDef]:
    """GET /healthz, /readyz and /metrics. /healthz says whose service it is: a port may have come to another's."""

    async def healthz(request: web.Request) -> web.Response:
        return answer({"status": "ok", "service": service, "run": run})

    async def readyz(request: web.Request) -> web.Response:
        if readiness.reasons:
            return answer({"status": "not ready", "reasons": list(readiness.reasons)}, status=503)
        return answer({"status": "ready"})

    async def metrics(request: web.Request) -> web.Response:
        return web.Response(body=exposition(), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    return [web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)]
