"""
PostgreSQL: a cluster made for one variant and thrown away after it; settings are those of postgresql.conf.

A standby begins as the primary did, with a copy of the same fresh cluster: a base backup that was taken while the
server was down (PostgreSQL's documentation, "File System Level Backup"). Then it streams, over the link to its primary.
"""

from __future__ import annotations

import asyncio
import signal
import struct
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from lab.model import Env, Scalar
from lab.runtime.backing import Kind, Recipe, StartContext
from lab.runtime.base import Address
from lab.runtime.credentials import REPLICATION, STATISTICS, USER, Credentials, scram, write_private
from lab.runtime.member_process import Command
from lab.runtime.template import fed, fresh_copy
from lab.runtime.unprivileged import as_nobody, give

DATABASE, OWNER = "postgres", "postgres"
# Durable as in production (fsync stays on, as it is by default), small, and quick to stop.
DEFAULTS: Mapping[str, Scalar] = {"max_connections": 200, "shared_buffers": "64MB"}
# Loaded where it is installed, so that the server's own count of each statement can be had: lab.runtime.statistics.
COUNTED: Mapping[str, Scalar] = {"shared_preload_libraries": "pg_stat_statements"}
LIBRARIES = ("lib", "lib/postgresql", "lib/pgsql", "lib64/pgsql")  # of Debian, Homebrew and Alpine, and Red Hat
# The services' role owns one schema and nothing else. That of statistics reads no data, is not counted itself, and may
# make a database to ask from. The superuser can log in nowhere: no line of pg_hba.conf names it.
ROLES = (
    f"CREATE ROLE {USER} LOGIN PASSWORD '{{service}}';",
    f"CREATE SCHEMA {USER} AUTHORIZATION {USER};",
    f"CREATE ROLE {STATISTICS} LOGIN PASSWORD '{{statistics}}' CREATEDB IN ROLE pg_monitor;",
    f"ALTER ROLE {STATISTICS} SET pg_stat_statements.track = 'none';",
    "DO 'BEGIN IF EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = ''pg_stat_statements'') "
    "THEN CREATE EXTENSION pg_stat_statements; END IF; END';",
    # A standby logs in as a role that may stream and nothing else; the lab itself promotes one.
    f"CREATE ROLE {REPLICATION} LOGIN REPLICATION PASSWORD '{{statistics}}';",
    f"GRANT EXECUTE ON FUNCTION pg_promote TO {STATISTICS};",
)
HBA = f"""host {DATABASE},{STATISTICS} {USER},{STATISTICS} all scram-sha-256
host replication {REPLICATION} all scram-sha-256"""
# initdb, then the roles, by the server as a program that reads statements and serves nobody. Without fsync: only copies
# of the cluster are ever served.
MAKE = f"""
initdb=$1 postgres=$2 cluster=$3 hba=$4
"$initdb" -D "$cluster" -U {OWNER} -A reject -E UTF8 --no-locale --no-sync </dev/null
echo "$hba" >"$cluster/pg_hba.conf"
exec "$postgres" --single -F -j -c exit_on_error=on -D "$cluster" {DATABASE}
"""


async def prepare(ground: StartContext) -> Command:
    """Copy a fresh cluster, which is made once a run."""
    cluster = ground.data / "cluster"
    await fresh_copy(ground, cluster, "initdb", partial(_make, ground))
    program = ground.programs["postgres"]
    settings = {**(COUNTED if _can_count(program.path) else {}), **ground.settings}
    if ground.upstream:
        _follow(cluster, ground.name, ground.upstream, ground.credentials)
    # Its shared memory is in files of its own folder, not in /dev/shm: what a kill leaves goes with the folder.
    # A socket of Unix it has none, whose path may be too long here.
    place: Env = {
        "unix_socket_directories": "",
        "listen_addresses": ground.address.host,
        "port": ground.address.port,
        "dynamic_shared_memory_type": "mmap",
    }
    words = _words(settings, place)
    argv = [*as_nobody(), program.path, "-D", cluster, *words]
    # SIGINT: end now and cleanly; at SIGTERM it would wait for its clients to leave.
    return Command(argv, program.env, cwd=cluster, polite=signal.SIGINT)


def recipe(settings: Env) -> Recipe:
    """The same words; the image makes the cluster, and docker-compose.yml the same roles.

    The official entrypoint starts a server that has nothing but its socket, and makes the roles over that: see
    docs/images.md.
    """
    return Recipe(["postgres", *_words({**COUNTED, **settings}, {"listen_addresses": "*", "port": 5432})])


async def ready(address: Address, credentials: Credentials) -> bool:
    """It would let our user in, with a password: the first answer is R (authentication), not E (error)."""
    reader, writer = await asyncio.open_connection(address.host, address.port)
    try:
        parameters = f"user\0{USER}\0database\0{DATABASE}\0\0".encode()
        writer.write(struct.pack("!ii", 8 + len(parameters), 196_608) + parameters)
        return await reader.readexactly(1) == b"R"
    finally:
        writer.close()


def url(address: Address, credentials: Credentials) -> str:
    """As a service logs in: its tables are in a schema of its own."""
    return f"postgresql://{USER}:{credentials.service}@{address}/{DATABASE}"


def statistics_url(address: Address, credentials: Credentials) -> str:
    """As the lab logs in, to read pg_stat_statements and its like."""
    return f"postgresql://{STATISTICS}:{credentials.statistics}@{address}/{DATABASE}"


def follows(name: str, primary: Address) -> Mapping[str, str]:
    """What docker-compose.yml makes a standby of: its name, and where its primary is."""
    return {"FOLLOWS_AS": name, "FOLLOWS_HOST": primary.host, "FOLLOWS_PORT": str(primary.port)}


KIND = Kind("postgres", prepare, ready, url, 5432, recipe, statistics_url=statistics_url, follows=follows)


def roles(credentials: Credentials) -> str:
    """The statements that make the roles, with what the server keeps of their passwords in place of these."""
    kept = {"service": scram(credentials.service), "statistics": scram(credentials.statistics)}
    return "".join(f"{statement.format(**kept)}\n\n" for statement in ROLES)


def _make(ground: StartContext, folder: Path) -> Command:
    """Make a cluster with its roles."""
    script, programs = ground.shared / "postgres-roles.sql", ground.programs
    write_private(script, roles(ground.credentials))
    words: list[str | Path] = [programs["initdb"].path, programs["postgres"].path, folder, HBA]
    return Command(fed(script, [*as_nobody(), "sh", "-ec", MAKE, "sh", *words]), programs["initdb"].env)


def _follow(cluster: Path, name: str, primary: Address, credentials: Credentials) -> None:
    """Have a fresh cluster start as a standby, which its primary knows by `name`; the password is in a private file."""
    asked = f"host={primary.host} port={primary.port} user={REPLICATION} password={credentials.statistics}"
    for file, text in (
        ("postgresql.auto.conf", f"primary_conninfo = '{asked} application_name={name}'\n"),
        ("standby.signal", ""),
    ):
        write_private(cluster / file, text)
        give(cluster / file)


def _can_count(postgres: Path) -> bool:
    """Whether the extension's library lies beside the server: one that is told to load what is not there stops."""
    base = postgres.resolve().parents[1]
    return any(file for place in LIBRARIES for file in (base / place).glob("pg_stat_statements.*"))


def _words(settings: Env, place: Env) -> list[str]:
    whole = {**DEFAULTS, **{name.lower(): value for name, value in settings.items()}, **place}
    return [word for name, value in whole.items() for word in ("-c", f"{name}={_text(value)}")]


def _text(value: Scalar) -> str:
    return ("on" if value else "off") if isinstance(value, bool) else str(value)
