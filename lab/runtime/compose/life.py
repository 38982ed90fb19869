"""One life of a container, from its start to its end: its output goes to a log file as it comes."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

from lab.kit.tasks import awaiting
from lab.runtime import processes
from lab.runtime.compose.engine import Engine, EngineError
from lab.runtime.supervisor import last_lines

ANSWER_S = 10.0  # within which the engine does what it is told
SIGNALLED = 128  # an exit code above it: killed by the signal of that number
FLUSH_S = 1.0  # how long the last words may take after the end
LOOK_EVERY_S = 0.002


class Life:
    """A container that runs: the `Child` of rooms that wait for one. `pid` is on the engine's machine."""

    def __init__(self, name: str, container: str, log: Path, engine: Engine, found: dict[str, Any]) -> None:
        self.name = name
        self.log = log
        self.pid = int(found["State"]["Pid"])
        self.asked_to_end = False
        self._id = str(found["Id"])
        self._container = container
        self._engine = engine
        self._here = self.is_here()
        self._returncode: int | None = None
        self._killed: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()
        self._written = asyncio.create_task(self._write(since=str(found["State"]["StartedAt"])))
        self._end = asyncio.create_task(self._wait())

    @property
    def returncode(self) -> int | None:
        """Exit code, minus the signal's number where it was killed, None while it runs."""
        return self._returncode

    @property
    def has_died(self) -> bool:
        """Whether no process of it runs any more.

        The engine tells that only after it has removed network and mounts, some 0.2 s later; where the container is of
        this machine, its kernel is asked. The first process of a container is the last one to go.
        """
        return self._ended.is_set() or (self._here and processes.look(self.pid) is None)

    async def wait(self) -> int:
        """Wait for its end, and for its last words."""
        return await asyncio.shield(self._end)

    async def stop(self, grace_s: float = 5.0) -> int:
        """SIGTERM (or what its image asks for), then SIGKILL after `grace_s`; returns when it is gone."""
        self.asked_to_end = True
        if self._returncode is None:
            with contextlib.suppress(EngineError), awaiting(f"container {self._container}"):
                await self._engine.order(self._container, "stop", grace_s + ANSWER_S, t=f"{grace_s:.0f}")
        await self._gone()
        return await self.wait()

    async def kill(self) -> None:
        """SIGKILL; returns when it has died. Its last log lines may come later: a fault does not wait for a log."""
        self.asked_to_end = True
        if self._returncode is not None:
            return
        self._killed = asyncio.create_task(self._order_kill())
        while not self._killed.done() and not self.has_died:  # noqa: ASYNC110 - the kernel sets no Event
            await asyncio.sleep(LOOK_EVERY_S)
        if not self.has_died:
            await self._killed

    def tail(self, lines: int = 20) -> str:
        """The end of its log."""
        return last_lines(self.log, lines)

    def is_here(self) -> bool:
        """Whether `pid` is of this machine: that of an engine elsewhere, or in a virtual machine, is not."""
        try:
            return self._id in Path(f"/proc/{self.pid}/cgroup").read_text()
        except OSError:
            return False

    async def forget(self) -> None:
        """Stop listening to it."""
        tasks = [task for task in (self._end, self._written, self._killed) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _order_kill(self) -> None:
        with contextlib.suppress(EngineError):  # it may have ended meanwhile
            await self._engine.order(self._container, "kill", ANSWER_S)
        await self._gone()

    async def _gone(self) -> None:
        """Wait until the engine says that it has ended. Raises EngineError where it says nothing."""
        try:
            with awaiting(f"the Docker engine at {self._engine.where.url}"):
                await asyncio.wait_for(self._ended.wait(), ANSWER_S)
        except TimeoutError:
            raise EngineError(
                f"the Docker engine at {self._engine.where.url} did not report within {ANSWER_S:g} s that {self.name} "
                f"(container {self._container}) exited; run `docker ps` to see whether it responds"
            ) from None

    async def _wait(self) -> int:
        try:
            code = await self._engine.wait(self._container)
        except EngineError:  # removed meanwhile by somebody, or the engine itself is gone
            code = SIGNALLED + 9
        self._ended.set()
        await asyncio.wait([self._written], timeout=FLUSH_S)  # so that whoever sees the code has the last words
        self._returncode = code if code <= SIGNALLED else SIGNALLED - code
        return self._returncode

    async def _write(self, since: str) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab", buffering=0) as file, contextlib.suppress(EngineError, OSError):
            async with contextlib.aclosing(self._engine.follow(self._container, _moment(since))) as pieces:
                async for piece in pieces:
                    file.write(piece)


def _moment(text: str) -> str:
    """When a container was started, as the engine takes it back: seconds since the epoch, with nanoseconds."""
    from datetime import datetime

    whole, _, fraction = text.rstrip("Z").partition(".")
    seconds = datetime.fromisoformat(f"{whole}+00:00").timestamp()
    return f"{seconds:.0f}.{fraction or 0}"
