"""What servers' containers run before their server, run here: they are let in by the same words as local servers."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
import yaml
from run_ids import fresh

from lab.kit.places import ROOT
from lab.runtime import backing, outside
from lab.runtime.base import Address
from lab.runtime.credentials import Credentials
from lab.runtime.ports import free_port
from lab.runtime.ready import wait_ready
from lab.runtime.supervisor import Supervisor
from lab.runtime.tools import Tools
from lab.runtime.unprivileged import as_nobody, give

pytestmark = [pytest.mark.e2e, pytest.mark.untraced]

SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
LOGIN = Credentials.fresh()


@asynccontextmanager
async def contained(
    kind: str, folder: Path, place: Mapping[str, str], settings: Mapping[str, str | int] | None = None
) -> AsyncIterator[Address]:
    """A server by the entrypoint of its container and the recipe of its kind, with other paths and another port."""
    made, address = backing.kind_of(kind), Address("127.0.0.1", free_port())
    assert made.recipe
    recipe = made.recipe(settings or {})
    here = {**place, "0.0.0.0": address.host, f"port={made.port}": f"port={address.port}", ":4222": f":{address.port}"}

    def moved(text: str) -> str:
        for there, instead in here.items():
            text = text.replace(there, instead)
        return text

    words = [moved(word.replace("$$", "$")) for word in SERVICES[kind]["entrypoint"]]
    words += [moved(word) if word != str(made.port) else str(address.port) for word in recipe.command]
    programs = Tools().need(made.part)
    path = os.pathsep.join([str(folder), *(str(each.path.parent) for each in programs.values()), os.environ["PATH"]])
    libraries = {name: value for each in programs.values() for name, value in each.env.items()}
    env = {**libraries, **{k: moved(v) for k, v in recipe.env.items()}, **LOGIN.environment, "PATH": path, **place}
    run = fresh("contained")
    async with Supervisor.open(folder / run, run) as supervisor:
        child = supervisor.spawn(kind, [*as_nobody(), *words], env=env, log=folder / "log", cwd=Path("/"))
        await wait_ready(child, lambda: made.ready(address, LOGIN), str(address), 20)
        yield address


@pytest.fixture
def inside() -> Iterator[Path]:
    """A folder that the servers' user can write to, wherever the tests' own are."""
    folder = outside.make(fresh("inside"))
    give(folder)
    yield folder
    shutil.rmtree(folder)


async def test_postgres_has_the_same_roles(inside: Path) -> None:
    """The script of docker-compose.yml and that of the Debian image together; the password is the container's."""
    script = (ROOT / "docker" / "debian" / "postgres.sh").read_text("utf-8")
    (inside / "init").mkdir()
    give(inside / "init")
    entry = inside / "docker-entrypoint.sh"
    script = script.replace("listen_addresses = '*'", "unix_socket_directories = ''")  # its user here has none for it
    entry.write_text(script.replace("/docker-entrypoint-initdb.d", str(inside / "init")))
    entry.chmod(0o755)
    place = {"/docker-entrypoint-initdb.d": str(inside / "init"), "PGDATA": str(inside / "data")}
    async with contained("postgres", inside, place) as address:
        made = backing.kind_of("postgres")
        connection = await asyncpg.connect(made.url(address, LOGIN))
        await connection.execute("CREATE TABLE t (n int)")
        assert await connection.fetchval("SELECT schemaname FROM pg_tables WHERE tablename = 't'") == "lab"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("COPY t FROM PROGRAM 'true'")
        await connection.close()
        assert made.statistics_url
        statistics = await asyncpg.connect(made.statistics_url(address, LOGIN))
        assert await statistics.fetchval("SELECT pg_has_role('pg_monitor', 'member')")
        await statistics.close()
        with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
            await asyncpg.connect(made.url(address, LOGIN).replace("lab:", "postgres:"))


# What the official entrypoint does, by its steps in docs/images.md, in our words: the image's default for the socket's
# folder is in its configuration, and the command's own options win over that.
OFFICIAL = """#!/bin/bash
set -e
[ "$1" = postgres ] && shift
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    [ -n "$POSTGRES_PASSWORD" ]
    initdb -D "$PGDATA" -U postgres --pwfile=<(echo "$POSTGRES_PASSWORD") >/dev/null
    echo "unix_socket_directories = '$SOCKETS'" >>"$PGDATA/postgresql.conf"
    echo "host all all all $(postgres -C password_encryption "$@")" >>"$PGDATA/pg_hba.conf"
    pg_ctl -D "$PGDATA" -o "$(printf '%q ' "$@" -c listen_addresses='' -p 5432)" -w start
    ls "$SOCKETS/.s.PGSQL.5432"
    pg_ctl -D "$PGDATA" -m fast -w stop
    for file in INITDB/*.sql; do sed G "$file" | postgres --single -j -D "$PGDATA" postgres >/dev/null; done
fi
exec postgres "$@"
"""


async def test_postgres_starts_by_the_steps_of_its_official_entrypoint(inside: Path) -> None:
    """With an empty `unix_socket_directories` its temporary server had no socket, and so no server ever came up."""
    for name in ("init", "sockets"):
        (inside / name).mkdir()
        give(inside / name)
    entry = inside / "docker-entrypoint.sh"
    entry.write_text(OFFICIAL.replace("INITDB", str(inside / "init")))
    entry.chmod(0o755)
    place = {
        "/docker-entrypoint-initdb.d": str(inside / "init"),
        "PGDATA": str(inside / "data"),
        "SOCKETS": str(inside / "sockets"),
    }
    async with contained("postgres", inside, place) as address:
        made = backing.kind_of("postgres")
        connection = await asyncpg.connect(made.url(address, LOGIN))
        assert await connection.fetchval("SELECT current_schema()") == "lab"
        assert (inside / "sockets" / f".s.PGSQL.{address.port}").is_socket()
        await connection.close()


async def test_redis_has_the_same_user(inside: Path) -> None:
    """Its file is written where nobody else reads it."""
    async with contained("redis", inside, {"/tmp/redis.conf": str(inside / "conf"), "/data": str(inside)}):
        assert (inside / "conf").stat().st_mode & 0o777 == 0o600
        assert LOGIN.service not in (inside / "conf").read_text()


async def test_nats_has_the_same_user(inside: Path) -> None:
    """Its settings come by a variable, its password by another."""
    place = {"/tmp/nats.conf": str(inside / "conf"), "/tmp/jetstream": str(inside / "store")}
    async with contained("nats", inside, place) as address:
        assert (inside / "conf").stat().st_mode & 0o777 == 0o600
        reader, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(b'CONNECT {"verbose":false}\r\nPING\r\n')
        assert b"Authorization Violation" in await asyncio.wait_for(reader.readuntil(b"Violation'\r\n"), 10)
        writer.close()
