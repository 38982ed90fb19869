"""A target as a process: settings from the environment, signals, the loop, exit codes."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys

from targets.kit.logs import Log, adopt_logging
from targets.kit.process import allow_ptrace
from targets.kit.service import Build, S, running
from targets.kit.settings import SettingsError, read

BAD_SETTINGS = 2


def serve(name: str, kind: type[S], build: Build[S]) -> None:
    """
    Run the target `name` until SIGTERM or SIGINT, then finish what is in flight and return.

    Settings that cannot be, or an address that is taken, end the process with code 2 and a line each on stderr.
    """
    try:
        settings = read(kind, {"SERVICE_NAME": name, **os.environ})
    except SettingsError as wrong:
        sys.exit(refusal(name, wrong.problems))
    if settings.allow_ptrace:
        allow_ptrace()
    log = Log(settings.service_name, settings.log_level)
    adopt_logging(log, settings.log_level)
    try:
        with asyncio.Runner(loop_factory=fastest_loop()) as runner:
            runner.run(until_told(settings, build, log))
    except OSError as wrong:
        where = f"HOST={settings.host} PORT={settings.port}"
        sys.exit(refusal(name, [f"{where} cannot be listened on ({wrong.strerror}): give another, or PORT=0"]))
    finally:
        log.close()


async def until_told(settings: S, build: Build[S], log: Log) -> None:
    """Serve until a signal comes; the log's first line says where, its last that it ends."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    async with running(settings, build, log) as here:
        gc.freeze()  # what is loaded by now stays: no collection need look at it again
        log.always("listening", host=here.host, port=here.port, pid=os.getpid(), loop=type(loop).__module__)
        await told.wait()
        log.always("stopping", grace_s=settings.shutdown_grace_s)
    log.always("stopped")


def refusal(name: str, problems: list[str]) -> int:
    """Say on stderr, a line each, why `name` does not start. Returns the exit code."""
    for problem in problems:
        sys.stderr.write(f"{name}: {problem}\n")
    return BAD_SETTINGS


def fastest_loop() -> type[asyncio.AbstractEventLoop] | None:
    """uvloop's loop where it is installed, else None, for asyncio's own."""
    with contextlib.suppress(ImportError):
        import uvloop

        return uvloop.Loop
    return None
