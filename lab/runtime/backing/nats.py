"""NATS with JetStream; settings are lines of its configuration file, `sync_interval` (2.10 and newer) among them."""

from __future__ import annotations

import json

from lab.kit.files import put_in_place
from lab.model import Env
from lab.runtime.backing import Kind, Recipe, StartContext
from lab.runtime.base import Address
from lab.runtime.credentials import SERVICE_VARIABLE, USER, Credentials
from lab.runtime.member_process import Command
from lab.runtime.ready import says
from lab.runtime.unprivileged import as_nobody, give

JETSTREAM = ("sync_interval", "max_memory_store", "max_file_store")

VARIABLE = "NATS_CONFIGURATION"  # from which docker-compose.yml writes the file inside a container


async def prepare(ground: StartContext) -> Command:
    """Everything is in its configuration file, but for the password, which is in its environment."""
    program = ground.programs["nats-server"]
    file = ground.data / "nats.conf"
    words = _configuration(ground.settings, str(ground.address), ground.name, str(ground.data / "jetstream"))
    give(put_in_place(file, words))
    env = {**program.env, SERVICE_VARIABLE: ground.credentials.service}
    return Command([*as_nobody(), program.path, "-c", file], env, cwd=ground.data)


def recipe(settings: Env) -> Recipe:
    """The same file, which the container writes from its environment."""
    return Recipe([], {VARIABLE: _configuration(settings, "0.0.0.0:4222", "nats", "/tmp/jetstream")})


def _configuration(settings: Env, listen: str, name: str, store: str) -> str:
    """JSON is a subset of its configuration language, save for the variable: in quotes it would be none."""
    told = {name.lower(): value for name, value in settings.items()}
    jetstream = {name: value for name, value in told.items() if name in JETSTREAM}
    rest = {name: value for name, value in told.items() if name not in JETSTREAM}
    whole = {**rest, "listen": listen, "server_name": name, "jetstream": {"store_dir": store, **jetstream}}
    return f"{json.dumps(whole, indent=2)[:-2]},\n  authorization: {{user: {USER}, password: ${SERVICE_VARIABLE}}}\n}}"


async def ready(address: Address, credentials: Credentials) -> bool:
    """It greets each connection with what it is."""
    return await says(address, b"", b"INFO ")


def url(address: Address, credentials: Credentials) -> str:
    """As a service logs in."""
    return f"nats://{USER}:{credentials.service}@{address}"


KIND = Kind("nats", prepare, ready, url, 4222, recipe)
