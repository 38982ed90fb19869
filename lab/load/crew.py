"""The Locust processes that carry a load: one alone, or a master and its workers, here or on other machines."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lab.errors import StartError
from lab.load import words
from lab.model import Load

_LOCUSTFILE = Path(__file__).with_name("locustfile.py")
_ROOT = _LOCUSTFILE.parents[2]
_POLL_S = 0.01
_ENTRY_POLLS = 1_000
_LAST_WORD_S = 3.0  # that a worker has to end after its master


class Managed(Protocol):
    """A process that somebody else answers for."""

    @property
    def pid(self) -> int:
        """Process id."""

    @property
    def returncode(self) -> int | None:
        """Exit code, minus the signal's number where it was killed, None while it runs."""

    async def wait(self) -> int:
        """Wait for its end."""

    async def stop(self, grace_s: float = ...) -> int:
        """Ask it to end, then make it."""

    def tail(self, lines: int = ...) -> str:
        """The end of its log."""


class Spawn(Protocol):
    """How a process is started: the supervisor's `spawn`."""

    def __call__(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        log: Path,
        cwd: Path | None = None,
    ) -> Managed:
        """Start a program; its output goes to `log`."""


@dataclass(frozen=True)
class Crew:
    """Who carries a load: `workers` processes. One that is not `joined` needs no master.

    The master listens at `host`, `port`. Workers are started here, or `joined`: awaited from other machines
    (`lab load-worker`), which then find what they load at the port above the master's.
    """

    workers: int = 1
    host: str = "127.0.0.1"
    port: int = 0
    joined: bool = False

    @property
    def is_alone(self) -> bool:
        """Whether one process here carries the whole load."""
        return self.workers == 1 and not self.joined

    @property
    def entry_port(self) -> int:
        """Where workers of other machines find what they load."""
        return self.port + words.ENTRY_ABOVE


class Locusts:
    """The processes of one load. `head` hears and writes the files: the only one, or the master."""

    def __init__(self, crew: Crew, spawn: Spawn, workdir: Path) -> None:
        self.crew = crew
        self._spawn = spawn
        self._workdir = workdir
        self.head: Managed
        self.workers: list[Managed] = []
        self._entry: Managed | None = None

    @classmethod
    def launch(cls, crew: Crew, load: Load, spawn: Spawn, workdir: Path) -> Locusts:
        """Start the processes that run here; they wait for their plan."""
        locusts = cls(crew, spawn, workdir)
        mastering = ["--master", "--master-bind-host", crew.host, "--master-bind-port", str(crew.port)]
        mastering += ["--expect-workers", str(crew.workers)]
        users = load.users or 1 if not load.is_open else crew.workers
        words_ = [
            *("--headless", "--only-summary", "--exit-code-on-error", "0", "--stop-timeout", "0"),
            # Locust asks for a host; where the load goes stands in the plan, which it waits for.
            *("--host", "http://127.0.0.1", "--users", str(users), "--spawn-rate", str(users)),
            *([] if crew.is_alone else mastering),
            "OpenModel" if load.is_open else "ClosedModel",
        ]
        locusts.head = spawn_locust(spawn, "locust", words_, workdir, {"LAB_LOAD_DIR": str(workdir)})
        if not crew.is_alone and not crew.joined:
            locusts.workers = [
                spawn_locust(spawn, f"locust-worker-{i}", working_for(crew.host, crew.port), workdir)
                for i in range(crew.workers)
            ]
        return locusts

    async def open_entry(self, addresses: Sequence[tuple[str, int]]) -> None:
        """Let workers of other machines reach what they load, which listens on this machine alone."""
        ways = [
            {
                "name": f"{host}:{port}",
                "listen": f"{self.crew.host}:{self.crew.entry_port + above}",
                "upstream": f"{host}:{port}",
            }
            for above, (host, port) in enumerate(addresses)
        ]
        config = self._workdir / "entry.json"
        config.write_text(json.dumps(ways))
        argv = [sys.executable, "-m", "lab.proxy", "--host", "127.0.0.1", "--port", "0", "--config", str(config)]
        log = self._workdir / "load-entry.log"
        self._entry = self._spawn("load-entry", argv, env=_environment(self._workdir), log=log, cwd=self._workdir)
        for _ in range(_ENTRY_POLLS):
            if " proxies" in self._entry.tail():
                break
            await asyncio.sleep(_POLL_S)
        if f": {len(ways)} proxies" not in self._entry.tail():
            listen = ", ".join(way["listen"] for way in ways)
            raise StartError(
                f"load: the way in for load workers cannot be opened at {listen}, above the port of --load-master; "
                f"its last lines:\n{self._entry.tail(5)}"
            )

    @property
    def ended(self) -> tuple[str, Managed] | None:
        """The first of the processes here that runs no longer, and what it is called."""
        named = [("locust", self.head)] + [(f"load worker {i}", worker) for i, worker in enumerate(self.workers)]
        return next(((name, process) for name, process in named if process.returncode is not None), None)

    async def stop(self) -> None:
        """End whatever still runs: workers first, so that the master hears their last words."""
        await asyncio.gather(*(worker.stop() for worker in self.workers if worker.returncode is None))
        for process in (self.head, self._entry):
            if process is not None and process.returncode is None:
                await process.stop()

    async def dissolve(self) -> None:
        """After the master's end: give its workers, which it has told to end too, the time to."""
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*(worker.wait() for worker in self.workers)), _LAST_WORD_S)
        await self.stop()


def working_for(host: str, port: int) -> list[str]:
    """The arguments of a Locust that is a worker of the master there."""
    return ["--worker", "--master-host", host, "--master-port", str(port)]


def spawn_locust(
    spawn: Spawn, name: str, arguments: Sequence[str], workdir: Path, env: Mapping[str, str] | None = None
) -> Managed:
    """Start a Locust that runs the lab's locustfile."""
    argv: list[str | Path] = [sys.executable, "-m", "locust", "-f", _LOCUSTFILE, "--loglevel", "WARNING", *arguments]
    log = workdir / f"{name}.log"
    return spawn(name, argv, env={**_environment(workdir), **(env or {})}, log=log, cwd=workdir)


def _environment(workdir: Path) -> dict[str, str]:
    return {
        "HOME": str(workdir),  # nobody's ~/.locust.conf has a say
        "PYTHONPATH": os.pathsep.join(p for p in (str(_ROOT), os.environ.get("PYTHONPATH", "")) if p),
    }
