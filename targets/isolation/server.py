"""The routes of the isolation target."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Annotated

from aiohttp import web
from aiohttp.typedefs import Handler
from msgspec import Meta, Struct
from prometheus_client import Counter

from targets.isolation.databases import Conflict, Database, Mariadb, Postgres
from targets.isolation.player import Play, play, shown
from targets.isolation.scripts import ANOMALIES, verdict
from targets.isolation.settings import IsolationSettings
from targets.isolation.work import ACCOUNTS, SHIFTS, Work
from targets.kit import Problem, Service, answer, read_json
from targets.kit.retrying import RetryMetrics
from targets.patterns.retry import Backoff, Retry

Cents = Annotated[int, Meta(ge=1, le=10**6)]
BACKOFF = Backoff(base_s=0.02, cap_s=0.32)


class Asked(Struct, frozen=True, forbid_unknown_fields=True):
    """An anomaly by name."""

    anomaly: str


class Deposit(Struct, frozen=True, forbid_unknown_fields=True):
    """Money for one of a few accounts."""

    account: Annotated[int, Meta(ge=1, le=ACCOUNTS)]
    cents: Cents


class Transfer(Struct, frozen=True, forbid_unknown_fields=True):
    """Money from the first of the pair to the second."""

    cents: Cents


class Leave(Struct, frozen=True, forbid_unknown_fields=True):
    """A doctor who would rather not."""

    shift: Annotated[int, Meta(ge=0, lt=SHIFTS)]
    doctor: Annotated[int, Meta(ge=1, le=2)]


@dataclass
class Isolation:
    """Answers the routes. The database is there from the application's start on."""

    settings: IsolationSettings
    service: Service
    plays: Counter
    work: Work | None = None

    @property
    def row(self) -> str:
        """The server and the level, as the matrix calls them."""
        return f"{self.at.database.name} {self.settings.level_words}"

    @property
    def at(self) -> Work:
        """The work, once there is a database."""
        assert self.work is not None
        return self.work

    async def connect(self, app: web.Application) -> AsyncIterator[None]:
        """Hold the database open while the application runs."""
        async with AsyncExitStack() as stack:
            server = (
                Postgres.open(self.settings.postgres_url)
                if self.settings.postgres_url
                else Mariadb.open(self.settings.mariadb_url)
            )
            database: Database = await stack.enter_async_context(server)
            listener = RetryMetrics(self.service.metrics, database.name)
            self.service.metrics.retries.labels(database.name)
            retry = Retry(self.settings.attempts - 1, BACKOFF, listener=listener)
            settings = self.settings
            think_s, how = settings.think_ms / 1000, (settings.deposits, settings.leaves)
            self.work = Work(database, settings.level_words, think_s, retry, *how)
            await self.work.prepare()
            yield

    async def post_anomaly(self, request: web.Request) -> web.Response:
        """Play the scripts of one anomaly."""
        asked = await read_json(request, Asked)
        anomaly = ANOMALIES.get(asked.anomaly)
        if anomaly is None:
            detail = f"There is no anomaly {asked.anomaly!r}; there are {', '.join(ANOMALIES)}."
            raise Problem(404, "no-such-anomaly", detail)
        plays = [await play(self.at.database, script, self.settings.level_words) for script in anomaly.scripts]
        prevented = verdict([each.happened for each in plays])
        self.plays.labels(anomaly.name, prevented).inc()
        scripts = [transcript(each) for each in plays]
        cell = {"row": self.row, "column": anomaly.name, "title": anomaly.title, "prevented": prevented}
        return answer({**cell, "scripts": scripts})

    async def post_deposit(self, request: web.Request) -> web.Response:
        """Pay in."""
        asked = await read_json(request, Deposit)
        before, after = await self.at.deposit(asked.account, asked.cents)
        return answer({"before": before, "after": after}, 201)

    async def post_transfer(self, request: web.Request) -> web.Response:
        """Move money."""
        asked = await read_json(request, Transfer)
        await self.at.transfer(asked.cents)
        return answer({"cents": asked.cents}, 201)

    async def post_audit(self, request: web.Request) -> web.Response:
        """Add up."""
        return answer({"total_cents": await self.at.audit()})

    async def post_leave(self, request: web.Request) -> web.Response:
        """Ask for leave."""
        asked = await read_json(request, Leave)
        return answer({"granted": await self.at.leave(asked.shift, asked.doctor)})

    async def get_books(self, request: web.Request) -> web.Response:
        """What there is in the end, for checkers."""
        return answer(await self.at.books())


def transcript(played: Play) -> dict[str, object]:
    """A play as a reader follows it: who said what, what came of it, and whether it had to wait first."""
    steps = [
        [line.step.by, line.step.sql, ("waited, then: " if line.waited else "") + line.said] for line in played.lines
    ]
    return {
        "title": played.script.title,
        "happened": played.happened,
        "steps": steps,
        "after": shown(played.outcome.after),
    }


@web.middleware
async def conflicts(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A transaction that was refused each time has done nothing, and says so."""
    try:
        return await handler(request)
    except Conflict as error:
        detail = f"The server refused every attempt: {error}. Nothing was done; ask again."
        raise Problem(503, "too-many-conflicts", detail, {"Retry-After": "1"}) from error


def build(settings: IsolationSettings, service: Service) -> web.Application:
    """The application."""
    plays = Counter("isolation_plays", "Anomalies played.", ("anomaly", "prevented"), registry=service.metrics.registry)
    for anomaly in ANOMALIES:
        for prevented in ("yes", "no", "read-only"):
            plays.labels(anomaly, prevented)
    isolation = Isolation(settings, service, plays)
    for route, status in (("anomalies", 200), ("deposits", 201), ("transfers", 201), ("audits", 200), ("leaves", 200)):
        service.answers(f"POST /{route}", status, 503)
    app = web.Application(middlewares=[conflicts])
    app.cleanup_ctx.append(isolation.connect)
    app.add_routes(
        [
            web.post("/anomalies", isolation.post_anomaly),
            web.post("/deposits", isolation.post_deposit),
            web.post("/transfers", isolation.post_transfer),
            web.post("/audits", isolation.post_audit),
            web.post("/leaves", isolation.post_leave),
            web.get("/books", isolation.get_books),
        ]
    )
    return app
