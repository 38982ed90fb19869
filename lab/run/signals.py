"""Signals that end a run: the first stops it in order, a second says what is awaited, a third leaves at once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any, Literal, Self

from lab.kit.tasks import awaited

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
Stage = Literal["checking", "running", "writing"]


def say(sentence: str) -> None:
    """Write a line to standard error by the system call alone: a signal may come while anything else is written."""
    with contextlib.suppress(OSError):  # the terminal may be gone
        os.write(2, f"\r\x1b[Klab: {sentence}\n".encode() if os.isatty(2) else f"lab: {sentence}\n".encode())


def leave(number: int) -> None:
    """End the lab at once, with the cursor that the live lines hide; its leash ends what still runs here."""
    for stream in (1, 2):
        with contextlib.suppress(OSError):
            os.write(stream, b"\x1b[?25h" if os.isatty(stream) else b"")
    os._exit(128 + number)


class Signals:
    """Ends what runs at Ctrl-C, SIGTERM, SIGHUP and SIGQUIT, as its `stage` allows.

    `checking`: nothing has been started, a signal is a KeyboardInterrupt. `running`: the first cancels the task that
    entered, so that it stops everything in order; a second says what is awaited; a third leaves at once. `writing`:
    nothing runs any more; the first is remembered, the next is a KeyboardInterrupt.

    A hang-up that is ignored (nohup) stays ignored.
    """

    def __init__(
        self, stage: Stage = "running", say: Callable[[str], None] = say, leave: Callable[[int], None] = leave
    ) -> None:
        self.stage: Stage = stage
        self.caught: int | None = None
        self._say, self._leave = say, leave
        self._warned = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        for number in ENDING:
            before = signal.getsignal(number)
            if number is not signal.SIGHUP or before is not signal.SIG_IGN:
                # Not the loop's own handlers, which wait while the loop does something long, such as judging.
                self._before[number] = signal.signal(number, self._catch)
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _catch(self, number: int, frame: FrameType | None = None) -> None:
        first, self.caught = self.caught is None, self.caught or number
        if self.stage == "checking" or (self.stage == "writing" and not first):
            raise KeyboardInterrupt
        if self.stage == "writing":
            self._say("writing the report; another signal stops that")
        elif first and self._task is not None:
            self._loop.call_soon_threadsafe(self._task.cancel)
        elif not self._warned:
            self._warned = True
            what = ", ".join(awaited()) or "what is under way"
            self._say(f"waiting for {what} to end; another signal exits immediately")
        else:
            self._say("exited without waiting; the leash kills the remaining processes, `lab heal` removes the rest")
            self._leave(number)
