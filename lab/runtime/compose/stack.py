"""`lab stack`: docker-compose.yml as a file that `docker stack deploy` takes, for a Swarm of one node or of many."""

from __future__ import annotations

import socket
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml

from lab.errors import LabError
from lab.runtime.compose import cli
from lab.runtime.compose.stackfile import on_volumes
from lab.runtime.compose.swarmfile import binds, network_name, swarm_service

FILE = Path(".lab") / "stack.yml"
STACK = "chaos-lab"
# What somebody who deploys it has to know.
HEAD = """\
# {file}, written by `make stack` from docker-compose.yml; it has a password in it.
#   docker stack deploy --compose-file {file} {stack}
#   docker stack rm {stack}
# {ports}
# Lost on a Swarm: no-new-privileges, which each engine's daemon.json can set. What is given files of this machine runs
# on this node ({node}). Every node needs the images, from a registry or built there.
"""
CLOSED = "No port is published: a Swarm cannot bind one to 127.0.0.1. `make stack PORTS=host` opens them to everybody."
OPEN = "OPEN TO EVERYBODY who reaches the node, without a password: {ports}; a Swarm cannot bind to 127.0.0.1."


async def write(root: Path, profiles: Collection[str], ports: bool) -> str:
    """Write the file; gives what to type next. Raises LabError where Compose refuses, or knows no such profile."""
    file = root / FILE
    text = stack_text(await cli.config(root), profiles, ports, socket.gethostname())
    (root / ".lab" / "compose" / "targets").mkdir(parents=True, exist_ok=True)  # a Swarm mounts only what is there
    file.touch(mode=0o600)
    file.write_text(text)
    return "\n".join(line.removeprefix("# ") for line in text.splitlines() if line.startswith("#"))


def stack_text(base: Mapping[str, Any], profiles: Collection[str], ports: bool, node: str) -> str:
    """The file's text: services without a profile and those of these profiles, as Compose itself would take them.

    `base` is what `docker compose config` says with every profile, `node` the host name of the node that has this
    machine's files. Raises LabError where there is no such profile.
    """
    known = {name for each in base["services"].values() for name in each.get("profiles") or []}
    if unknown := sorted(set(profiles) - known):
        raise LabError(f"docker-compose.yml has no profile {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    chosen = {
        name: each
        for name, each in base["services"].items()
        if not each.get("profiles") or set(each["profiles"]) & set(profiles)
    }
    if alone := [name for name, each in chosen.items() if each.get("pid")]:
        raise LabError(f"{', '.join(alone)} is in another's process namespace, which a Swarm cannot do: leave it out")
    services = {
        name: swarm_service(on_volumes(each), _place(each, node), ports=ports, again=True)
        for name, each in chosen.items()
    }
    published = [port["published"] for each in services.values() for port in each.get("ports", [])]
    head = HEAD.format(
        file=FILE,
        stack=STACK,
        node=node,
        ports=OPEN.format(ports=_ranges(published)) if published else CLOSED,
    )
    mounts = [mount for each in services.values() for mount in each["volumes"]]
    used = {mount.get("source") for mount in mounts if mount["type"] == "volume"}
    secret = {word["source"] for each in services.values() for word in each.get("secrets") or []}
    content = {
        "services": services,
        "networks": {"lab": {"name": network_name(base, "stack"), "driver": "overlay", "attachable": True}},
        "volumes": {name: {"name": each["name"]} for name, each in (base.get("volumes") or {}).items() if name in used},
        **({"secrets": {name: {"file": base["secrets"][name]["file"]} for name in sorted(secret)}} if secret else {}),
    }
    return head + "\n" + yaml.safe_dump(content, sort_keys=False, width=120)


def _place(found: Mapping[str, Any], node: str) -> list[str]:
    """Which nodes a service may run on."""
    return [f"node.hostname == {node}"] if binds(found) else []


def _ranges(ports: Collection[int]) -> str:
    """`3000, 18000-18031`."""
    runs: list[list[int]] = []
    for port in sorted(ports):
        if runs and port == runs[-1][-1] + 1:
            runs[-1].append(port)
        else:
            runs.append([port])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
