"""Data folders of servers, made once a run and copied for each that needs a fresh one: making one takes seconds."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from lab.errors import StartError
from lab.kit.tasks import surely
from lab.runtime.backing import StartContext
from lab.runtime.member_process import Command
from lab.runtime.supervisor import ending
from lab.runtime.unprivileged import copy_as_theirs, give

_locks: dict[Path, asyncio.Lock] = {}


async def fresh_copy(ground: StartContext, to: Path, installer: str, install: Callable[[Path], Command]) -> None:
    """Copy a fresh data folder to `to`; for the first who asks, it is made by the command that `install` gives.

    `installer` is what people call that command. Raises StartError with its last log lines where it fails.
    """
    template = ground.shared / f"{installer.split()[0]}-template"
    async with _locks.setdefault(template, asyncio.Lock()):
        if not template.exists():
            await _make(ground, template, installer, install)
    await asyncio.to_thread(copy_as_theirs, template, to)


def fed(script: Path, command: Sequence[str | Path]) -> list[str | Path]:
    """A command that reads a script as its standard input, which its user need not be able to open."""
    return ["sh", "-c", 'script=$1; shift; exec "$@" <"$script"', "sh", script, *command]


async def _make(ground: StartContext, template: Path, installer: str, install: Callable[[Path], Command]) -> None:
    draft = Path(tempfile.mkdtemp(prefix=f".{template.name}-", dir=template.parent))  # each try has its own
    try:
        give(draft)
        command = await asyncio.to_thread(install, draft)
        log = template.with_suffix(".log")
        child = ground.supervisor.spawn(installer, command.argv, env=command.env, log=log, cwd=draft)
        try:
            returncode = await child.wait()
        finally:
            await surely(child.kill())  # where this try is given up
        if returncode:
            raise StartError(f"{ground.name}: {installer} failed ({ending(returncode)}):\n{child.tail()}")
        await asyncio.to_thread(draft.rename, template)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
