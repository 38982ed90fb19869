"""Redis with nothing kept on disk, unless the settings say otherwise: each is a directive of redis.conf."""

from __future__ import annotations

from lab.model import Env, Scalar
from lab.runtime.backing import Ground, Kind, Recipe
from lab.runtime.base import Address
from lab.runtime.ready import says
from lab.runtime.seat import Command

DEFAULTS: dict[str, Scalar] = {"save": "", "appendonly": "no", "protected-mode": "no", "databases": 16}


async def prepare(ground: Ground) -> Command:
    """Directives go on the command line; `appendonly: yes` and `save: "1 1"` are for experiments on durability."""
    program = ground.programs["redis-server"]
    place: dict[str, Scalar] = {"bind": ground.address.host, "port": ground.address.port, "dir": str(ground.data)}
    return Command([program.path, *_words({**ground.settings, **place})], program.env, cwd=ground.data)


def recipe(settings: Env) -> Recipe:
    """The same words after the program's name."""
    return Recipe(["redis-server", *_words({**settings, "bind": "0.0.0.0", "port": 6379, "dir": "/data"})])


def _words(settings: Env) -> list[str]:
    return [
        word
        for directive, value in {**DEFAULTS, **settings, "daemonize": "no"}.items()
        for word in (f"--{directive.replace('_', '-').lower()}", *(_text(value).split() or [""]))
    ]


def _text(value: Scalar) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


async def ready(address: Address) -> bool:
    """It answers PING; while it loads its data it says LOADING instead."""
    return await says(address, b"PING\r\n", b"+PONG\r\n")


def url(address: Address) -> str:
    """Its first database."""
    return f"redis://{address}/0"


KIND = Kind("redis", prepare, ready, url, 6379, recipe)
