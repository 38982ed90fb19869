"""
A service of docker-compose.yml as `docker stack deploy` takes it: its older format, on a Swarm. Pure.

What a Swarm cannot do does not hide in a key that it ignores: `no-new-privileges` is lost (an engine has it as a
setting of its own), file systems in memory become mounts, and a port cannot be bound to 127.0.0.1, so that none is
published unless asked for. Names are answered with the addresses of tasks (`dnsrr`): a virtual one would be a proxy
more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# Swarm builds nothing, waits for nobody, has no profiles; names, and who shares whose processes, are its own affair.
LEFT_OUT = {
    *("build", "container_name", "depends_on", "develop", "dns_opt", "dns_search", "pid", "profiles", "restart"),
    "security_opt",
}
REMADE = {"deploy", "ports", "shm_size", "tmpfs", "volumes"}
UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def swarm_service(
    found: Mapping[str, Any],
    constraints: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
    ports: bool = False,
    again: bool = False,
) -> dict[str, Any]:
    """One service; `found` is as `docker compose config` has it.

    Tasks run on nodes that fulfil the `constraints`. With `ports`, those that are published are open on every address
    of the node. `again`: in place of a task that ends another is started.
    """
    kept = {name: value for name, value in found.items() if name not in LEFT_OUT | REMADE and value is not None}
    limits = ((found.get("deploy") or {}).get("resources") or {}).get("limits") or {}
    published = [
        {"mode": "host", "target": int(each["target"]), "published": int(each["published"])}
        for each in found.get("ports") or []
        if each.get("published")  # else a free one of 127.0.0.1, by hand
    ]
    return {
        **kept,
        "volumes": [*map(_mount, found.get("volumes") or []), *_in_memory(found)],
        **({"ports": published} if ports and published else {}),
        "deploy": {
            "endpoint_mode": "dnsrr",
            "labels": dict(labels or {}),
            "placement": {"constraints": list(constraints)},
            "resources": {"limits": {name: _limit(name, value) for name, value in limits.items()}},
            "restart_policy": {"condition": "any" if again else "none"},
        },
    }


def network_name(base: Mapping[str, Any], use: str) -> str:
    """A network across nodes; that of docker-compose.yml is of one engine."""
    return f"{base['networks']['lab']['name']}-{use}"


def binds(found: Mapping[str, Any]) -> bool:
    """Whether a service is given files of this machine, which no other node has."""
    return any(each["type"] == "bind" for each in found.get("volumes") or [])


def _mount(found: Mapping[str, Any]) -> dict[str, Any]:
    return {name: found[name] for name in ("type", "source", "target", "read_only") if name in found}


def _in_memory(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Mounts for `tmpfs` and `shm_size`; such a mount is writable by everybody, which `mode=1777` asks for."""
    mounts = []
    for each in found.get("tmpfs") or []:
        target, _, options = each.partition(":")
        sizes = [word.removeprefix("size=") for word in options.split(",") if word.startswith("size=")]
        mounts.append(_tmpfs(target, _in_bytes(sizes[0]) if sizes else None))
    if size := found.get("shm_size"):
        mounts.append(_tmpfs("/dev/shm", _in_bytes(str(size))))
    return mounts


def _tmpfs(target: str, size_bytes: int | None) -> dict[str, Any]:
    return {"type": "tmpfs", "target": target, **({"tmpfs": {"size": size_bytes}} if size_bytes else {})}


def _in_bytes(text: str) -> int:
    """`16m` as Docker writes sizes; without a unit it is bytes."""
    word = text.lower().removesuffix("b")
    return int(word[:-1]) * UNITS[word[-1]] if word[-1] in UNITS else int(word)


def _limit(name: str, value: Any) -> str | int:
    return int(value) if name == "pids" else str(value)
