"""MariaDB: a data folder made for one variant and thrown away after it; settings are those of my.cnf's [mariadbd]."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from lab.errors import StartError
from lab.model import Env, Scalar
from lab.runtime.backing import Kind, Recipe, StartContext
from lab.runtime.base import Address
from lab.runtime.credentials import STATISTICS, USER, Credentials, native, write_private
from lab.runtime.member_process import Command
from lab.runtime.template import fed, fresh_copy
from lab.runtime.unprivileged import as_nobody, give

DATABASE = "lab"
# Durable as in production (each commit is in the log on disk, as it is by default), and small. Without a Unix socket,
# whose path may be too long here, without a look-up of each client's name, and without files of clients.
DEFAULTS: Mapping[str, Scalar] = {
    "max_connections": 200,
    "innodb_buffer_pool_size": "64M",
    "innodb_log_file_size": "16M",
    "skip_name_resolve": True,
    "local_infile": False,
    "socket": "",
}
# Services have all rights in their own database and none beside it but PROCESS: who waits for a lock is shown to no one
# without it. The user of statistics reads counters and no data. There is no other user.
USERS = (
    f"CREATE DATABASE {DATABASE}",
    f"CREATE USER {USER}@'%' {{service}}",
    f"GRANT ALL ON {DATABASE}.* TO {USER}@'%'",
    f"GRANT PROCESS ON *.* TO {USER}@'%'",
    f"CREATE USER {STATISTICS}@'%' {{statistics}}",
    f"GRANT PROCESS ON *.* TO {STATISTICS}@'%'",
)
SYSTEM_TABLES = ("mysql_system_tables.sql", "mysql_performance_tables.sql")
PROTOCOL = 10  # the first byte that a server says after a packet's header; 255 stands there where it refuses us


async def prepare(ground: StartContext) -> Command:
    """Copy a fresh data folder, which is made once a run."""
    data = ground.data / "data"
    await fresh_copy(ground, data, "mariadbd --bootstrap", partial(_bootstrap, ground))
    files = ground.data / "files"  # the only place that its statements can read files in and write them to: empty
    files.mkdir()
    give(files)
    place: Env = {"bind_address": ground.address.host, "port": ground.address.port, "secure_file_priv": str(files)}
    settings = _whole(ground.settings, place)
    program = ground.programs["mariadbd"]
    argv: list[str | Path] = [*as_nobody(), program.path, *_folders(program.path, data), *_words(settings)]
    return Command(argv, program.env, cwd=data)


def recipe(settings: Env) -> Recipe:
    """The same words, with a socket, by which the image makes the data folder; docker-compose.yml has the same users.

    Of what is in memory only /tmp is still anybody's to write when a container is started again.
    """
    place: Env = {
        "bind_address": "0.0.0.0",
        "port": 3306,
        "socket": "/tmp/mariadb.sock",
        "pid_file": "/tmp/mariadb.pid",
        "secure_file_priv": "/tmp",
    }
    return Recipe(["mariadbd", *_words(_whole(settings, place))])


async def ready(address: Address, credentials: Credentials) -> bool:
    """It greets: a server that is not ready does not listen yet."""
    reader, writer = await asyncio.open_connection(address.host, address.port)
    try:
        greeting = await reader.readexactly(5)  # three bytes of length, a number, and the first of the packet itself
        return greeting[4] == PROTOCOL
    finally:
        writer.close()


def url(address: Address, credentials: Credentials) -> str:
    """As a service logs in."""
    return f"mysql://{USER}:{credentials.service}@{address}/{DATABASE}"


def statistics_url(address: Address, credentials: Credentials) -> str:
    """As the lab logs in, to read the server's counters."""
    return f"mysql://{STATISTICS}:{credentials.statistics}@{address}/information_schema"


KIND = Kind("mariadb", prepare, ready, url, 3306, recipe, statistics_url=statistics_url)


def users(credentials: Credentials) -> Sequence[str]:
    """The statements that make the users, with what the server keeps of their passwords in place of these."""
    kept = {
        "service": f"IDENTIFIED BY PASSWORD '{native(credentials.service)}'",
        "statistics": f"IDENTIFIED BY PASSWORD '{native(credentials.statistics)}'",
    }
    return [statement.format(**kept) for statement in USERS]


def _bootstrap(ground: StartContext, folder: Path) -> Command:
    """Make a data folder with the system's tables, the users and one database."""
    program = ground.programs["mariadbd"]
    script = ground.shared / "mariadb-install.sql"
    write_private(script, _script(program.path, ground.credentials))
    words = [*_folders(program.path, folder), *_words(DEFAULTS), "--bootstrap", "--skip-networking"]
    return Command(fed(script, [*as_nobody(), program.path, *words]), program.env)


def _script(program: Path, credentials: Credentials) -> str:
    """What `mariadb-install-db` would feed it, less the help texts; at its end the tables of rights are in force."""
    places = [_base(program) / "share" / name for name in ("mysql", "mariadb")]
    place = next((place for place in places if (place / SYSTEM_TABLES[0]).exists()), None)
    if place is None:
        raise StartError(f"{program}: its {SYSTEM_TABLES[0]} is in neither {' nor '.join(map(str, places))}")
    return "\n".join(
        [
            "CREATE DATABASE mysql;",
            "USE mysql;",
            *((place / name).read_text("utf-8") for name in SYSTEM_TABLES),
            "FLUSH PRIVILEGES;",
            *(f"{statement};" for statement in users(credentials)),
            "",
        ]
    )


def _base(program: Path) -> Path:
    """The folder above `sbin`, where its messages and scripts are, wherever the package was unpacked."""
    return program.resolve().parents[1]


def _folders(program: Path, data: Path) -> list[str]:
    return ["--no-defaults", f"--basedir={_base(program)}", f"--datadir={data}"]


def _whole(settings: Env, place: Env) -> dict[str, Scalar]:
    return {**DEFAULTS, **{name.lower(): value for name, value in settings.items()}, **place}


def _words(settings: Mapping[str, Scalar]) -> list[str]:
    return [f"--{name.replace('_', '-')}={_text(value)}" for name, value in settings.items()]


def _text(value: Scalar) -> str:
    return ("ON" if value else "OFF") if isinstance(value, bool) else str(value)
