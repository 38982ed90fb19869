"""PostgreSQL: a cluster made for one variant and thrown away after it; settings are those of postgresql.conf."""

from __future__ import annotations

import asyncio
import signal
import struct
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from lab.model import Env, Scalar
from lab.runtime.backing import Ground, Kind, Recipe
from lab.runtime.base import Address
from lab.runtime.seat import Command
from lab.runtime.template import fresh_copy
from lab.runtime.unprivileged import as_nobody

USER, DATABASE = "lab", "postgres"
# Durable as in production (fsync stays on, as it is by default), small, and quick to stop.
DEFAULTS: Mapping[str, Scalar] = {"max_connections": 200, "shared_buffers": "64MB", "unix_socket_directories": ""}
# Loaded where it is installed, so that the server's own count of each statement can be had: lab.runtime.statistics.
COUNTED: Mapping[str, Scalar] = {"shared_preload_libraries": "pg_stat_statements"}
LIBRARIES = ("lib", "lib/postgresql", "lib/pgsql", "lib64/pgsql")  # of Debian, Homebrew and Alpine, and Red Hat


async def prepare(ground: Ground) -> Command:
    """Copy a fresh cluster, which is made once a run."""
    cluster = ground.data / "cluster"
    await fresh_copy(ground, cluster, "initdb", partial(_initdb, ground))
    program = ground.programs["postgres"]
    settings = {**(COUNTED if _can_count(program.path) else {}), **ground.settings}
    # Its shared memory is in files of its own folder, not in /dev/shm: what a kill leaves goes with the folder.
    place: Env = {
        "listen_addresses": ground.address.host,
        "port": ground.address.port,
        "dynamic_shared_memory_type": "mmap",
    }
    words = _words(settings, place)
    argv: list[str | Path] = [*as_nobody(), program.path, "-D", cluster, *words]
    # SIGINT: end now and cleanly; at SIGTERM it would wait for its clients to leave.
    return Command(argv, program.env, cwd=cluster, polite=signal.SIGINT)


def recipe(settings: Env) -> Recipe:
    """The same words; the image makes the cluster, and its user and database are set in docker-compose.yml."""
    return Recipe(["postgres", *_words({**COUNTED, **settings}, {"listen_addresses": "*", "port": 5432})])


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


KIND = Kind("postgres", prepare, ready, url, 5432, recipe)


def _initdb(ground: Ground, folder: Path) -> Command:
    """Make a cluster; `--no-sync`, since only its copies are ever served."""
    program = ground.programs["initdb"]
    options = ["-U", USER, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"]
    return Command([*as_nobody(), program.path, "-D", folder, *options], program.env)


def _can_count(postgres: Path) -> bool:
    """Whether the extension's library lies beside the server: one that is told to load what is not there stops."""
    base = postgres.resolve().parents[1]
    return any(file for place in LIBRARIES for file in (base / place).glob("pg_stat_statements.*"))


def _words(settings: Env, place: Env) -> list[str]:
    whole = {**DEFAULTS, **{name.lower(): value for name, value in settings.items()}, **place}
    return [word for name, value in whole.items() for word in ("-c", f"{name}={_text(value)}")]


def _text(value: Scalar) -> str:
    return ("on" if value else "off") if isinstance(value, bool) else str(value)
