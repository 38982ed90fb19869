"""Redis with nothing kept on disk, unless the settings say otherwise: each is a directive of redis.conf."""

from __future__ import annotations

from lab.model import Env, Scalar
from lab.runtime.backing import Kind, Recipe, StartContext
from lab.runtime.base import Address
from lab.runtime.credentials import Credentials, sha256, write_private
from lab.runtime.member_process import Command
from lab.runtime.ready import says
from lab.runtime.unprivileged import as_nobody, give

DEFAULTS: dict[str, Scalar] = {"save": "", "appendonly": "no", "protected-mode": "no", "databases": 16}

# Its only user may do with data what it likes, and read settings and counters. What could make the server write files
# where it likes, load modules or follow another server, it may not. After `on`: `#` and the password's SHA-256.
RIGHTS = "~* &* +@all -@admin -@dangerous +info +keys +config|get"
INSIDE = "/tmp/redis.conf"  # which docker-compose.yml writes, with the same user


async def prepare(ground: StartContext) -> Command:
    """Directives go on the command line; `appendonly: yes` and `save: "1 1"` are for experiments on durability."""
    program, file = ground.programs["redis-server"], ground.data / "redis.conf"
    write_private(file, f"user default on #{sha256(ground.credentials.service)} {RIGHTS}\n")
    give(file)
    place: dict[str, Scalar] = {"bind": ground.address.host, "port": ground.address.port, "dir": str(ground.data)}
    argv = [*as_nobody(), program.path, file, *_words({**ground.settings, **place})]
    return Command(argv, program.env, cwd=ground.data)


def recipe(settings: Env) -> Recipe:
    """The same words after the program's name."""
    place: dict[str, Scalar] = {"bind": "0.0.0.0", "port": 6379, "dir": "/data"}
    return Recipe(["redis-server", INSIDE, *_words({**settings, **place})])


def _words(settings: Env) -> list[str]:
    return [
        word
        for directive, value in {**DEFAULTS, **settings, "daemonize": "no"}.items()
        for word in (f"--{directive.replace('_', '-').lower()}", *(_text(value).split() or [""]))
    ]


def _text(value: Scalar) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


async def ready(address: Address, credentials: Credentials) -> bool:
    """It answers PING; while it loads its data it says LOADING instead."""
    return await says(address, f"AUTH {credentials.service}\r\nPING\r\n".encode(), b"+OK\r\n+PONG\r\n")


def url(address: Address, credentials: Credentials) -> str:
    """Its first database."""
    return f"redis://:{credentials.service}@{address}/0"


KIND = Kind("redis", prepare, ready, url, 6379, recipe)
