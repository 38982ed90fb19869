"""PostgreSQL: a cluster made for one variant and thrown away after it; settings are those of postgresql.conf."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import struct
from collections.abc import Mapping
from pathlib import Path

from lab.errors import StartError
from lab.model import Scalar
from lab.runtime.backing import Ground, Kind
from lab.runtime.base import Address
from lab.runtime.seat import Command
from lab.runtime.supervisor import ending

USER, DATABASE = "lab", "postgres"
# Durable as in production (fsync stays on, as it is by default), small, and quick to stop.
DEFAULTS: Mapping[str, Scalar] = {"max_connections": 200, "shared_buffers": "64MB", "unix_socket_directories": ""}
SERVED_BY = "nobody"  # where we are root: PostgreSQL refuses to be


async def prepare(ground: Ground) -> Command:
    """Copy a fresh cluster, which is made once a run."""
    template = ground.shared / "postgres-template"
    async with _locks.setdefault(template, asyncio.Lock()):
        if not template.exists():
            await _initdb(ground, template)
    cluster = ground.data / "cluster"
    await asyncio.to_thread(_copy, template, cluster)
    fixed: dict[str, Scalar] = {"listen_addresses": ground.address.host, "port": ground.address.port}
    settings = {**DEFAULTS, **{name.lower(): value for name, value in ground.settings.items()}, **fixed}
    words = [word for name, value in settings.items() for word in ("-c", f"{name}={_text(value)}")]
    program = ground.programs["postgres"]
    argv: list[str | Path] = [*_unprivileged(), program.path, "-D", cluster, *words]
    # SIGINT: end now and cleanly; at SIGTERM it would wait for its clients to leave.
    return Command(argv, program.env, cwd=cluster, polite=signal.SIGINT)


async def ready(address: Address) -> bool:
    """It takes a connection of our user to our database: the first answer is R (authentication), not E (error)."""
    reader, writer = await asyncio.open_connection(address.host, address.port)
    try:
        parameters = f"user\0{USER}\0database\0{DATABASE}\0\0".encode()
        writer.write(struct.pack("!ii", 8 + len(parameters), 196_608) + parameters)
        return await reader.readexactly(1) == b"R"
    finally:
        writer.close()


def url(address: Address) -> str:
    """User and database are ours; it asks for no password, since it listens on this machine only."""
    return f"postgresql://{USER}@{address}/{DATABASE}"


KIND = Kind("postgres", prepare, ready, url)

_locks: dict[Path, asyncio.Lock] = {}


async def _initdb(ground: Ground, template: Path) -> None:
    """Make a cluster; `--no-sync`, since only its copies are ever served."""
    program = ground.programs["initdb"]
    draft = template.with_name(".postgres-template")
    draft.mkdir()
    _give(draft)
    options = ["-U", USER, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"]
    child = ground.supervisor.spawn(
        "initdb",
        [*_unprivileged(), program.path, "-D", draft, *options],
        env=program.env,
        log=ground.shared / "initdb.log",
        cwd=draft,
    )
    returncode = await child.wait()
    if returncode:
        raise StartError(f"{ground.name}: initdb failed ({ending(returncode)}):\n{child.tail()}")
    draft.rename(template)


def _unprivileged() -> list[str]:
    """What stands before a command that must not be root; nothing where we aren't.

    It keeps root's way into folders (CAP_DAC_OVERRIDE), so that a clone in root's own home works too, and asks
    again for the signal at the lab's death, which the kernel forgets at a change of user.
    """
    if os.geteuid() != 0:
        return []
    owner = pwd.getpwnam(SERVED_BY)
    who = [f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups", "--pdeathsig=KILL"]
    return ["setpriv", *who, "--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override"]


def _copy(template: Path, cluster: Path) -> None:
    shutil.copytree(template, cluster)
    for folder, _, files in os.walk(cluster):
        for name in ("", *files):
            _give(Path(folder) / name)


def _give(path: Path) -> None:
    if os.geteuid() == 0:
        owner = pwd.getpwnam(SERVED_BY)
        os.chown(path, owner.pw_uid, owner.pw_gid)


def _text(value: Scalar) -> str:
    return ("on" if value else "off") if isinstance(value, bool) else str(value)
