"""Other programs that are asked for something: with a time limit that holds for whatever they start, too."""

from __future__ import annotations

import asyncio
import subprocess
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import IO

from lab.kit.tasks import surely
from lab.runtime.leash import kill_group


def ask(
    argv: Sequence[str | Path], within_s: float, *, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, in a session of its own, and give what it printed.

    Raises OSError where there is none, and subprocess.TimeoutExpired after `within_s`; then, and at Ctrl-C, all that it
    started is killed with it.
    """
    with subprocess.Popen(
        argv,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(timeout=within_s)
        except BaseException:
            kill_group(process.pid)
            raise
    return subprocess.CompletedProcess(argv, process.returncode, out, err)


@asynccontextmanager
async def running(
    argv: Sequence[str | Path], cwd: Path, env: Mapping[str, str], out: int | IO[bytes], err: int | IO[bytes]
) -> AsyncIterator[Process]:
    """A program in a session of its own, so that Ctrl-C is the lab's; await its end within the block.

    Where the block or the program's start is broken off, all that it started is killed with it. Raises OSError where
    there is no such program.
    """
    begun = asyncio.create_task(
        asyncio.create_subprocess_exec(
            *argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
        )
    )
    try:
        await asyncio.wait([begun])  # asyncio kills a program whose start is cancelled, but not its children
        yield begun.result()
    except BaseException:
        await surely(_kill(begun))
        raise


async def _kill(begun: asyncio.Task[Process]) -> None:
    with suppress(OSError):  # there is no such program
        process = await begun
        kill_group(process.pid)
        await process.wait()
