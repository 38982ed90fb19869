"""NATS with JetStream; settings are lines of its configuration file, `sync_interval` (2.10 and newer) among them."""

from __future__ import annotations

import json

from lab.runtime.backing import Ground, Kind
from lab.runtime.base import Address
from lab.runtime.ready import says
from lab.runtime.seat import Command

JETSTREAM = ("sync_interval", "max_memory_store", "max_file_store")


async def prepare(ground: Ground) -> Command:
    """JSON is a subset of its configuration language."""
    program = ground.programs["nats-server"]
    store = {name: value for name, value in ground.settings.items() if name in JETSTREAM}
    rest = {name: value for name, value in ground.settings.items() if name not in JETSTREAM}
    file = ground.data / "nats.conf"
    configuration = {
        **rest,
        "listen": str(ground.address),
        "server_name": ground.name,
        "jetstream": {"store_dir": str(ground.data / "jetstream"), **store},
    }
    file.write_text(json.dumps(configuration, indent=2))
    return Command([program.path, "-c", file], program.env, cwd=ground.data)


async def ready(address: Address) -> bool:
    """It greets each connection with what it is."""
    return await says(address, b"", b"INFO ")


def url(address: Address) -> str:
    """Without a user: it listens on this machine only."""
    return f"nats://{address}"


KIND = Kind("nats", prepare, ready, url)
