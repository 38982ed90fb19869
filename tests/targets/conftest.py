"""Targets run for tests: in this process, on real sockets, with their logs kept for reading."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest
from aiohttp import ClientSession
from target_bench import Lines, Start

from targets import exchange, payments
from targets.kit import Running, running
from targets.kit.service import Build, S
from targets.kit.settings import read

MALFORMED = {"400", "404", "405", "413", "415", "422"}


@pytest.fixture
def lines() -> Iterator[Lines]:
    """The log of all targets of a test."""
    lines = Lines()
    yield lines
    lines.log.close()


@pytest.fixture
async def http() -> AsyncIterator[ClientSession]:
    """A client."""
    async with ClientSession() as session:
        yield session


@pytest.fixture
async def start(lines: Lines) -> AsyncIterator[Start]:
    """Start a target of any kind; all are drained at the test's end, the last first."""
    async with AsyncExitStack() as stack:

        async def start(settings: S, build: Build[S]) -> Running:
            target = await stack.enter_async_context(running(settings, build, lines.log))
            if build.__module__.startswith("targets."):
                stack.callback(expects_its_series, target)
            return target

        yield start


def expects_its_series(target: Running) -> None:
    """Each answer that a target gave, and each outcome of a call, was exported at 0 before: else rate() misses it.

    Not so what only a wrong request gets, and no caller of an experiment sends.
    """
    metrics = target.service.metrics
    surprises = {labels for labels in metrics.server_duration.surprises if labels[2] not in MALFORMED and labels[1]}
    surprises |= {labels for labels in metrics.client_duration.surprises if not labels[2].startswith("4")}
    assert not surprises, f"{target.service.name}: say so with service.answers(...), or service.peer(..., answers)"


def as_env(**said: object) -> dict[str, str]:
    """Settings as variables of an environment."""
    return {name.upper(): str(value) for name, value in said.items()}


@pytest.fixture
def start_payments(start: Start) -> Start:
    """Starts payments with these settings."""

    async def start_payments(**said: object) -> Running:
        settings = read(payments.PaymentsSettings, as_env(service_name="payments", **said))
        return await start(settings, payments.build)

    return start_payments


@pytest.fixture
def start_exchange(start: Start) -> Start:
    """Starts exchange in front of the payments at this URL, with these settings."""

    async def start_exchange(payments_url: str, **said: object) -> Running:
        settings = read(exchange.ExchangeSettings, as_env(service_name="exchange", payments_url=payments_url, **said))
        return await start(settings, exchange.build)

    return start_exchange
