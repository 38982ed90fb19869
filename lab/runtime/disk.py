"""A member's disk in the local runtime: its process, its mount, what faults do to it; lab.disk is what runs there."""

from __future__ import annotations

import asyncio
import ctypes.util
import os
import secrets
import shutil
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

from lab.disk.control import TOKEN
from lab.disk.store import FILES
from lab.errors import LabError, StartError
from lab.kit.places import ROOT
from lab.model import Backing, Disk, Member, Scalar
from lab.runtime import leash
from lab.runtime.base import Address
from lab.runtime.ports import free_port
from lab.runtime.ready import http_ok, wait_ready
from lab.runtime.supervisor import Managed, Supervisor
from lab.runtime.unprivileged import SERVED_BY, give, lead_through

DEVICE = Path("/dev/fuse")
ASK_S = 10.0
ENDS_S = 3.0
REMEDY = "`apt-get install fuse3` on Linux, with /dev/fuse (in a container: `--device /dev/fuse --cap-add SYS_ADMIN`)"


def why_no_disk() -> str | None:
    """Why this machine cannot have a disk of the lab's own, with the remedy, in a sentence; None where it can."""
    if sys.platform != "linux":
        return f"a disk that forgets needs FUSE on Linux, and this is {sys.platform}"
    if not os.access(DEVICE, os.R_OK | os.W_OK):
        return f"a disk that forgets needs {DEVICE}, which does not exist or cannot be opened: `modprobe fuse` as root"
    if ctypes.util.find_library("fuse3") is None or (os.geteuid() != 0 and shutil.which("fusermount3") is None):
        return "a disk that forgets needs libfuse 3 and fusermount3: `apt-get install fuse3`"
    return None


class MountedDisk:
    """The disk of one member, mounted at its data folder; the DiskControl of faults."""

    def __init__(self, member: Member, folder: Path, supervisor: Supervisor, log: Path) -> None:
        self.member = member
        self.address = Address("127.0.0.1", free_port())
        self.folder = folder
        self._supervisor = supervisor
        self._log = log
        self._token = secrets.token_hex(16)
        self.process: Managed | None = None

    @property
    def name(self) -> str:
        """As its metrics are labelled: `postgres-disk`."""
        return Disk(self.member).name

    async def mount(self) -> None:
        """Put it under the folder, whose files are on disk from now on. Raises StartError with its last log lines."""
        if why := why_no_disk():
            raise LabError(f"{self.member.name}: {why}.")
        home = self.folder.with_name(f"{self.folder.name}.disk")
        mode = self.folder.stat().st_mode
        lead_through(home)
        (home / "gone").mkdir()
        self.folder.rename(home / FILES)
        self.folder.mkdir()
        self.folder.chmod(mode & 0o7777)
        as_other = isinstance(self.member, Backing) and os.geteuid() == 0
        if as_other:
            for folder in (home, home / "gone", self.folder):
                give(folder)
        words = ["--home", home, "--at", self.folder, "--port", self.address.port]
        argv = [sys.executable, "-m", "lab.disk", *map(str, words), *(["--user", SERVED_BY] if as_other else [])]
        env = {"DISK_TOKEN": self._token, "FUSE_LIBRARY_NAME": "fuse3"}
        self.process = self._supervisor.spawn(self.name, argv, env=env, log=self._log, cwd=ROOT)
        ready = partial(http_ok, self.address, "/state")
        await wait_ready(self.process, ready, self.address.url, listens_at=self.address.port)

    async def state(self) -> Mapping[str, Scalar]:
        """What it has counted since it was mounted, and what is wrong with it."""
        return await self._ask("GET", "/state")

    async def cut(self, keeps: str, seed: int) -> Mapping[str, Scalar]:
        """The power goes."""
        return await self._ask("POST", "/cut", {"keeps": keeps, "seed": seed})

    async def trouble(self, what: Mapping[str, Scalar | None]) -> Mapping[str, Scalar]:
        """Make it slow, full or failing, or healthy again."""
        return await self._ask("POST", "/trouble", what)

    async def stop(self) -> None:
        """Unmount it, after which its process ends by itself."""
        if self.process:
            self.process.asked_to_end = True
        await asyncio.to_thread(leash.unmount, self.folder)
        if self.process:
            try:
                await asyncio.wait_for(self.process.wait(), ENDS_S)
            except TimeoutError:
                await self.process.kill()

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Scalar]:
        """By aiohttp, which asks no proxy for the internet on the way to 127.0.0.1."""
        timeout, headers = aiohttp.ClientTimeout(ASK_S), {TOKEN: self._token}
        try:
            async with (
                aiohttp.ClientSession(self.address.url, timeout=timeout, headers=headers) as session,
                session.request(method, path, json=body) as answer,
            ):
                if answer.status != 200:
                    raise LabError(f"{self.name}: {path} was refused: {await answer.text()}")
                return flat(await answer.json())
        except (aiohttp.ClientError, OSError) as error:
            raise StartError(f"{self.name} does not answer ({error!r}); its log: {self._log}") from error


def flat(said: Mapping[str, Any]) -> dict[str, Scalar]:
    """Without the table of errors given, which becomes one fact for each."""
    facts: dict[str, Scalar] = {name: value for name, value in said.items() if isinstance(value, str | int | float)}
    return {**facts, **{f"{given} given": count for given, count in said.get("errors", {}).items()}}
