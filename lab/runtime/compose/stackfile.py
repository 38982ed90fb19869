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


def _service(found: Mapping[str, Any], place: Placed, labels: Mapping[str, str]) -> dict[str, Any]:
    kept = {name: value for name, value in found.items() if name not in LEFT_OUT}
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
        "volumes": [*(found.get("volumes") or [])],
        **({"command": [_literal(word) for word in place.command]} if place.command is not None else {}),
    }


def _literal(text: str) -> str:
    """As Compose must read it to leave it as it is; what `docker compose config` says is written so already."""
    return text.replace("$", "$$")
