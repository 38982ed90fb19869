"""
The Compose file of one stack: services of docker-compose.yml with a variant's environment, ports and labels. Pure.

Everything that says how a container may live (limits, capabilities, file systems) stays as docker-compose.yml has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.model import Member

# What only the file for people needs: a run's images are there, its order of starting is the lab's, and a health
# check would start a process in each container every few seconds of a measurement.
LEFT_OUT = ("build", "depends_on", "develop", "healthcheck", "ports", "profiles")
KEPT = "chaos-lab.kept"  # a label of docker-compose.yml: folders that are in memory by hand, and on volumes in a run


@dataclass(frozen=True)
class Placed:
    """One member as a container: what it runs on, where it is reached, what it is told.

    `command` None leaves that of docker-compose.yml. With `keeps_env` it is told what docker-compose.yml says as well:
    a server is, its image reads it. A target is not: the neighbours that it has when started by hand would be there
    beside the links of a run.
    """

    service: str
    host: str
    image: str
    inside_port: int
    published: tuple[str, int]
    env: Mapping[str, str] = field(default_factory=dict, hash=False)
    command: tuple[str, ...] | None = None
    keeps_env: bool = False


def stack_file(
    base: Mapping[str, Any], project: str, placed: Mapping[Member, Placed], labels: Mapping[str, str]
) -> dict[str, Any]:
    """The file's content; `base` is what `docker compose config` says of docker-compose.yml."""
    services = {place.host: _service(base["services"][place.service], place, labels) for place in placed.values()}
    networks = {name: {"name": each["name"], "external": True} for name, each in base["networks"].items()}
    return {"name": project, "services": services, "networks": networks}


def on_volumes(found: Mapping[str, Any]) -> dict[str, Any]:
    """A service with a volume for each folder that it keeps, which outlives its process and goes with its container."""
    folders = str((found.get("labels") or {}).get(KEPT, "")).split()
    in_memory = [each for each in found.get("tmpfs") or [] if each.partition(":")[0] not in folders]
    volumes = [*(found.get("volumes") or []), *({"type": "volume", "target": folder} for folder in folders)]
    return {**found, "volumes": volumes, **({"tmpfs": in_memory} if folders else {})}


def _service(found: Mapping[str, Any], place: Placed, labels: Mapping[str, str]) -> dict[str, Any]:
    kept = {name: value for name, value in on_volumes(found).items() if name not in LEFT_OUT}
    port = {"target": place.inside_port, "host_ip": place.published[0], "published": str(place.published[1])}
    told = {name: _literal(value) for name, value in place.env.items()}
    return {
        **kept,
        "image": place.image,
        "container_name": place.host,
        "environment": {**((found.get("environment") or {}) if place.keeps_env else {}), **told},
        "healthcheck": {"disable": True},
        "labels": {**(found.get("labels") or {}), **labels},
        "ports": [port],
        **({"command": [_literal(word) for word in place.command]} if place.command is not None else {}),
    }


def _literal(text: str) -> str:
    """As Compose must read it to leave it as it is; what `docker compose config` says is written so already."""
    return text.replace("$", "$$")
