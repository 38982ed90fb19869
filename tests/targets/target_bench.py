"""What tests of targets share: a log that can be read, and a look at a running target's metrics."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from targets.kit import Running
from targets.kit.logs import Log

Start = Callable[..., Awaitable[Running]]


class Lines:
    """A log's lines, parsed."""

    def __init__(self) -> None:
        self.log = Log("test", "debug", self._keep)
        self._kept: list[dict[str, Any]] = []

    def _keep(self, data: bytes) -> None:
        self._kept += [json.loads(line) for line in data.splitlines()]

    def all(self, **wanted: object) -> list[dict[str, Any]]:
        """Every line so far that has these fields."""
        self.log.flush()
        return [line for line in self._kept if wanted.items() <= line.items()]


def series(target: Running, name: str, **labels: str) -> float:
    """The sum of all samples of one name that carry these labels, as /metrics would show them."""
    return sum(
        sample.value
        for family in target.service.metrics.registry.collect()
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


async def until(target: Running, name: str, value: float, **labels: str) -> None:
    """Wait until a series has this value, for 5 seconds at most."""
    async with asyncio.timeout(5):
        while series(target, name, **labels) != value:  # noqa: ASYNC110 - a metric sets no Event
            await asyncio.sleep(0.005)
