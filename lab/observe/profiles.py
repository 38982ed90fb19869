"""
py-spy on the services that a scenario names, one profile for each service and phase.

Samples are of the thread that holds the interpreter's lock (`--gil`), 100 times a second: shares are shares of the time
in which Python ran, not of waiting, nor of work for which the lock is given up (hashing, compression). Without that,
py-spy takes threads for busy that only wait: on a machine with more to do than cores, a third of the samples were in
`Condition.wait`. Frames are whole functions (`-F`), so that two profiles can be held against each other.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lab.errors import StartError
from lab.runtime.base import Child, Spawn, Spy

RATE_PER_S = 100
FINISH_WITHIN_S = 5.0


@dataclass
class _Recording:
    service: str
    child: Child
    part: Path


class Profiler:
    """py-spy while it records one phase."""

    def __init__(self, phase: str, folder: Path, recordings: Sequence[_Recording], notes: Sequence[str]) -> None:
        self._phase, self._folder = phase, folder
        self._recordings, self._notes = recordings, notes
        self._began_s = time.monotonic()

    @classmethod
    def start(
        cls, spawn: Spawn, services: Mapping[str, Sequence[Spy]], phase: str, folder: Path, *, untouched: bool = False
    ) -> Profiler:
        """Begin to record services (name to ways to look at it); profiles go to `folder/<service>.<phase>.folded`.

        By default py-spy holds a process still while it reads its stack. On a busy service that cost 0.1 ms at the
        p99; without it, 8 % of the stacks came out torn (of one moment above, of a later one below). `untouched`
        never holds it: for phases in which a fault pauses processes, where a process held by py-spy would look as
        if the fault were not in force. Never raises; `finish` tells what did not work.
        """
        folder.mkdir(parents=True, exist_ok=True)
        recordings: list[_Recording] = []
        notes: list[str] = []
        options = ["--format", "raw", "--rate", str(RATE_PER_S), "--function", "--gil"]
        options += ["--nonblocking"] if untouched else []
        for service, spies in services.items():
            if not spies:
                notes.append(f"{service} has no profile of {phase}: it was not running")
            for spy in spies:
                part = folder / f"{service}.{phase}.{spy.name}.part"
                try:
                    child = spawn(
                        f"py-spy {service}", spy.argv(options, part), env=spy.env, log=part.with_suffix(".log")
                    )
                except (StartError, OSError) as error:
                    notes.append(f"{service} has no profile of {phase}: {error}")
                else:
                    recordings.append(_Recording(service, child, part))
        return cls(phase, folder, recordings, notes)

    async def finish(self) -> list[str]:
        """End the recording and write the profiles; gives a note, with the way out, for each that there is not."""
        lasted_s = time.monotonic() - self._began_s
        ended_before = [recording.child.returncode is not None for recording in self._recordings]
        notes = list(self._notes)
        await asyncio.gather(*(_end(recording.child) for recording in self._recordings))
        for recording, early in zip(self._recordings, ended_before, strict=True):
            service = recording.service
            if recording.part.exists() and recording.part.stat().st_size:
                with (self._folder / f"{service}.{self._phase}.folded").open("ab") as profile:
                    profile.write(recording.part.read_bytes())
                if early:
                    notes.append(f"the profile of {service} in {self._phase} ends early: the process ended")
            else:
                notes.append(f"{service} has no profile of {self._phase}: {_why(recording.child.tail(), lasted_s)}")
            recording.part.unlink(missing_ok=True)
            recording.child.log.unlink(missing_ok=True)
        return notes


async def _end(child: Child) -> None:
    """Interrupt it, which makes py-spy write what it has; where it does not come to an end, kill it."""
    if child.returncode is None:
        with suppress(ProcessLookupError):
            os.kill(child.pid, signal.SIGINT)
    with suppress(TimeoutError):
        async with asyncio.timeout(FINISH_WITHIN_S):
            await child.wait()
    await child.stop(grace_s=0)


def _why(said: str, lasted_s: float) -> str:
    """py-spy's complaint in a sentence, and what helps."""
    if "permission denied" in said.lower():
        return f"py-spy may not read it; {way_out()}"
    lines = [line for line in said.splitlines() if line.strip()]
    if not lines or "KeyboardInterrupt" in said:  # ended while still our own child, before it became py-spy
        return "py-spy was ended before it had begun"
    lines = [line for line in lines if not line.startswith("py-spy>")]
    if not lines or "No stack counts found" in said:
        return (
            f"no sample in {lasted_s:.1f} s: no thread held the interpreter's lock whenever py-spy looked, "
            "so it ran no Python (idle, paused, or in work for which the lock is given up)"
        )
    return f"py-spy says: {lines[0].removeprefix('Error: ')}"


def way_out() -> str:
    """What lets py-spy read processes of one's own on this system."""
    if sys.platform == "darwin":
        return "macOS lets only root do that: run the lab with sudo to get profiles"
    return (
        "let it with `sudo sysctl kernel.yama.ptrace_scope=0`, or run the lab as root "
        "(in a container: with --cap-add SYS_PTRACE)"
    )
