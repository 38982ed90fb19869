"""Ctrl-C and SIGTERM, as a cancellation that lets whatever runs stop everything in order."""

from __future__ import annotations

import asyncio
import signal
from typing import Self


class Signals:
    """Lets Ctrl-C and SIGTERM cancel the task that enters, once, so that it stops everything in order."""

    def __init__(self) -> None:
        self.caught: int | None = None

    def __enter__(self) -> Self:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        for number in (signal.SIGINT, signal.SIGTERM):
            self._loop.add_signal_handler(number, self._catch, number)
        return self

    def __exit__(self, *_: object) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._loop.remove_signal_handler(number)

    def _catch(self, number: int) -> None:
        if self.caught is None and self._task is not None:
            self.caught = number
            self._task.cancel()
