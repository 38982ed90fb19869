"""The place of one member in a running stack: how it is started, the process that is there, what faults do to it."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from lab.errors import StartError
from lab.model import Member
from lab.model.bench import ProcessState
from lab.runtime import processes
from lab.runtime.base import Address
from lab.runtime.moments import KILLED, PAUSED, READY_AGAIN, RESUMED, Tell
from lab.runtime.ready import Ready, wait_ready
from lab.runtime.supervisor import Managed, Supervisor, ending

STATE_CHANGE_S = 2.0
FROZEN_S = 0.5  # SIGSTOP takes effect within a tick, on a busy machine within a hundred


@dataclass(frozen=True)
class Command:
    """How a member is started, the same way each time."""

    argv: Sequence[str | Path]
    env: Mapping[str, str] = field(default_factory=dict, hash=False)
    cwd: Path | None = None
    polite: signal.Signals = signal.SIGTERM


class MemberProcess:
    """A member's process, of whom there may be several one after the other; the ProcessControl of faults."""

    def __init__(
        self,
        member: Member,
        address: Address,
        command: Command,
        ready: Ready,
        log: Path,
        supervisor: Supervisor,
        tell: Tell,
    ) -> None:
        self.member = member
        self.address = address
        self._command = command
        self._ready = ready
        self._log = log
        self._supervisor = supervisor
        self._tell = tell
        self._child: Managed | None = None
        self._unexpected_exits: list[str] = []

    async def start(self) -> None:
        """Start it and wait until it is ready. Raises StartError with its last log lines."""
        command = self._command
        self._child = self._supervisor.spawn(
            self.member.name,
            command.argv,
            env=command.env,
            log=self._log,
            cwd=command.cwd,
            polite=command.polite,
        )
        await wait_ready(self._child, self._ready, str(self.address), listens_at=self.address.port)

    async def stop(self, grace_s: float) -> None:
        """Stop it politely, then surely."""
        if self._child:
            await self._child.stop(grace_s)

    async def kill(self) -> None:
        """Kill it and all its processes at once (SIGKILL); returns when they are gone.

        One that starts others (PostgreSQL's postmaster) is stopped first: a child that is born between the look and the
        signal, in a session of its own, would outlive it, and go on writing.
        """
        if self._child is None or self._child.returncode is not None:
            return
        self._child.asked_to_end = True
        if len(self.pids()) > 1:
            await self._freeze(self._child)
        pids = self._signal_all(signal.SIGKILL)
        self._tell(KILLED)
        await self._child.kill()
        deadline = time.monotonic() + STATE_CHANGE_S
        while any(processes.look(pid) for pid in pids) and time.monotonic() < deadline:  # noqa: ASYNC110 - no Event
            await asyncio.sleep(0.002)  # those of other sessions are not our children: nobody tells us

    async def pause(self) -> None:
        """Stop all its processes in their tracks (SIGSTOP); they keep their sockets."""
        await self._until("paused", signal.SIGSTOP, "T")
        self._tell(PAUSED)

    async def resume(self) -> None:
        """Let all its processes go on (SIGCONT)."""
        if self.pids():
            was = await self.state()
            await self._until("running", signal.SIGCONT, "")
            if was == "paused":
                self._tell(RESUMED)

    async def restart(self, *, excused: bool = False) -> None:
        """Stop it where it still runs, and start it again with the same environment, port and data."""
        if not excused:
            if self._child and await self.state() == "gone":
                await self._child.wait()  # the exit code comes a moment after the end
            self._record_unexpected_exit()
        await self.stop(STATE_CHANGE_S)
        await self.start()
        self._tell(READY_AGAIN)

    async def state(self) -> ProcessState:
        """What the operating system says of it."""
        process = processes.look(self._child.pid) if self._child and self._child.returncode is None else None
        if process is None:
            return "gone"
        return "paused" if process.state == "T" else "running"

    def pids(self) -> Sequence[int]:
        """Its process ids, the first one first; empty where it is gone."""
        if self._child is None or self._child.returncode is not None:
            return []
        return processes.family(self._child.pid)

    def deaths(self) -> Sequence[str]:
        """Each time it ended though nobody asked it to, in a sentence with its last log lines."""
        self._record_unexpected_exit()
        return self._unexpected_exits

    def _record_unexpected_exit(self) -> None:
        child = self._child
        if child and child.returncode is not None and not child.asked_to_end:
            child.asked_to_end = True  # told once
            self._unexpected_exits.append(
                f"{child.name} ended by itself ({ending(child.returncode)}); its last log lines ({child.log}):\n"
                + child.tail()
            )

    async def _freeze(self, child: Managed) -> None:
        """Stop the first process alone, and see that it has stopped: from then on it starts no other."""
        child.signal(signal.SIGSTOP)
        deadline = time.monotonic() + FROZEN_S
        while (found := processes.look(child.pid)) and found.state != "T":
            if time.monotonic() > deadline:
                return
            await asyncio.sleep(0.001)

    def _signal_all(self, number: signal.Signals) -> Sequence[int]:
        pids = self.pids()
        for pid in pids:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        return pids

    async def _until(self, wanted: ProcessState, number: signal.Signals, letter: str) -> None:
        """Signal all its processes until each shows `letter` (or, where that is empty, until none is paused).

        Again and again, since a process may start another between the look and the signal.
        """
        deadline = time.monotonic() + STATE_CHANGE_S
        while True:
            pids = self.pids()
            if not pids:
                raise StartError(f"{self.member.name} is gone, so it cannot be {wanted}; a fault or a crash ended it")
            states = [found.state for pid in pids if (found := processes.look(pid))]
            if all(state == letter if letter else state != "T" for state in states):
                return
            if time.monotonic() > deadline:
                raise StartError(f"{self.member.name} is not {wanted} {STATE_CHANGE_S:g} s after {number.name}")
            self._signal_all(number)
            await asyncio.sleep(0.002)
