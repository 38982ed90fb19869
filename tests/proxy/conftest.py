"""The proxy runs on uvloop, so its tests do."""

from asyncio import AbstractEventLoop
from collections.abc import Callable

import uvloop


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], AbstractEventLoop]]:
    """What pytest-asyncio makes the loops of this folder's tests with."""
    return {"uvloop": uvloop.new_event_loop}
