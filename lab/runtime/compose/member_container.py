"""The place of one member in a stack of containers: its container, the life it lives now, what faults do to it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from lab.errors import StartError
from lab.model import Member
from lab.model.bench import ProcessState
from lab.runtime import processes
from lab.runtime.base import Address
from lab.runtime.compose.engine import GONE, Engine, EngineError
from lab.runtime.compose.life import Life
from lab.runtime.moments import KILLED, PAUSED, READY_AGAIN, RESUMED, Tell
from lab.runtime.ready import Ready, wait_ready
from lab.runtime.supervisor import ending

STATE_CHANGE_S = 2.0
PATIENCE_S = 30.0  # a container's first start may have to make a database


class MemberContainer:
    """A member's container; the ProcessControl of faults."""

    def __init__(
        self, member: Member, address: Address, container: str, ready: Ready, log: Path, engine: Engine, tell: Tell
    ) -> None:
        self.member = member
        self.address = address
        self.container = container
        self._ready = ready
        self._log = log
        self._engine = engine
        self._tell = tell
        self._life: Life | None = None
        self._unexpected_exits: list[str] = []

    async def begin(self) -> None:
        """Attend the container that Compose has started, and wait until it is ready. Raises StartError."""
        found = await self._engine.inspect(self.container)
        self._life = Life(self.member.name, self.container, self._log, self._engine, found)
        await wait_ready(self._life, self._ready, str(self.address), PATIENCE_S)

    async def stop(self, grace_s: float) -> None:
        """Stop it politely, then surely; the container stays."""
        if self._life and self._life.returncode is None:
            await self.resume()  # a paused one would not hear
            await self._life.stop(grace_s)

    async def forget(self) -> None:
        """Stop listening to it."""
        if self._life:
            await self._life.forget()

    async def kill(self) -> None:
        """Kill it at once (SIGKILL), all its processes; returns when it is gone."""
        if self._life and self._life.returncode is None:
            await self._life.kill()
            self._tell(KILLED)

    async def pause(self) -> None:
        """Freeze all its processes; they keep their sockets."""
        await self._turn("pause", "paused")
        self._tell(PAUSED)

    async def resume(self) -> None:
        """Let all its processes go on."""
        if await self.state() == "paused":
            await self._turn("unpause", "running")
            self._tell(RESUMED)

    async def restart(self, *, excused: bool = False) -> None:
        """Stop it where it still runs, and start the same container again: environment, port and data stay."""
        if not excused:
            if self._life and await self.state() == "gone":
                await self._life.wait()  # the engine tells code and last words a moment after the end
            self._record_unexpected_exit()
        await self.stop(STATE_CHANGE_S)
        await self.forget()
        try:
            await self._engine.order(self.container, "start")
        except EngineError as error:
            raise StartError(f"{self.member.name} cannot be started again: {error}") from error
        await self.begin()
        self._tell(READY_AGAIN)

    async def state(self) -> ProcessState:
        """What the kernel says of it where it has died on this machine, else what the engine says."""
        if self._life and self._life.has_died:
            return "gone"
        try:
            status = (await self._engine.inspect(self.container))["State"]["Status"]
        except EngineError as error:
            if error.status == GONE:
                return "gone"
            raise
        return "paused" if status == "paused" else "running" if status == "running" else "gone"

    def lives(self) -> bool:
        """Whether its container runs."""
        return self._life is not None and self._life.returncode is None

    def pids(self) -> Sequence[int]:
        """Its process ids where they are this machine's, the first one first; empty where it is gone or elsewhere."""
        if self._life is None or self._life.returncode is not None or not self._life.is_here():
            return []
        return processes.family(self._life.pid)

    def deaths(self) -> Sequence[str]:
        """Each time it ended though nobody asked it to, in a sentence with its last log lines."""
        self._record_unexpected_exit()
        return self._unexpected_exits

    def _record_unexpected_exit(self) -> None:
        life = self._life
        if life and life.returncode is not None and not life.asked_to_end:
            life.asked_to_end = True  # told once
            self._unexpected_exits.append(
                f"{life.name} ended by itself ({ending(life.returncode)}); its last log lines ({life.log}):\n"
                + life.tail()
            )

    async def _turn(self, verb: str, wanted: ProcessState) -> None:
        """Order it and see that it is so."""
        state = await self.state()
        if state == "gone":
            raise StartError(f"{self.member.name} is gone, so it cannot be {wanted}; a fault or a crash ended it")
        if state != wanted:
            async with asyncio.timeout(STATE_CHANGE_S):
                await self._engine.order(self.container, verb)
        if (state := await self.state()) != wanted:
            raise StartError(f"{self.member.name} is {state}, not {wanted}, though the engine took the order")
