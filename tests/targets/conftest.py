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
            return await stack.enter_async_context(running(settings, build, lines.log))

        yield start


@pytest.fixture
def start_payments(start: Start) -> Start:
    """Starts payments with these settings."""

    async def start_payments(**said: object) -> Running:
        return await start(payments.PaymentsSettings(service_name="payments", **said), payments.build)  # type: ignore[arg-type]

    return start_payments


@pytest.fixture
def start_exchange(start: Start) -> Start:
    """Starts exchange in front of the payments at this URL, with these settings."""

    async def start_exchange(payments_url: str, **said: object) -> Running:
        settings = exchange.ExchangeSettings(service_name="exchange", payments_url=payments_url, **said)  # type: ignore[arg-type]
        return await start(settings, exchange.build)

    return start_exchange
