"""NATS with JetStream; settings are lines of its configuration file, `sync_interval` (2.10 and newer) among them."""

from __future__ import annotations

import json

from lab.model import Env
from lab.runtime.backing import Ground, Kind, Recipe
from lab.runtime.base import Address
from lab.runtime.ready import says
from lab.runtime.seat import Command

JETSTREAM = ("sync_interval", "max_memory_store", "max_file_store")


INSIDE = "/etc/lab/nats.conf"


async def prepare(ground: Ground) -> Command:
    """Everything is in its configuration file."""
    program = ground.programs["nats-server"]
    file = ground.data / "nats.conf"
    file.write_text(_configuration(ground.settings, str(ground.address), ground.name, str(ground.data / "jetstream")))
    return Command([program.path, "-c", file], program.env, cwd=ground.data)


def recipe(settings: Env) -> Recipe:
    """The same file, mounted into the container."""
    return Recipe(["-c", INSIDE], {INSIDE: _configuration(settings, "0.0.0.0:4222", "nats", "/tmp/jetstream")})


def _configuration(settings: Env, listen: str, name: str, store: str) -> str:
    """JSON is a subset of its configuration language."""
    jetstream = {name: value for name, value in settings.items() if name in JETSTREAM}
    rest = {name: value for name, value in settings.items() if name not in JETSTREAM}
    whole = {**rest, "listen": listen, "server_name": name, "jetstream": {"store_dir": store, **jetstream}}
    return json.dumps(whole, indent=2)


async def ready(address: Address) -> bool:
    """It greets each connection with what it is."""
    return await says(address, b"", b"INFO ")


def url(address: Address) -> str:
    """Without a user: it listens on this machine only."""
    return f"nats://{address}"


KIND = Kind("nats", prepare, ready, url, 4222, recipe)
