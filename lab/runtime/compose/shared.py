"""
What all runs in containers share: Toxiproxy and Prometheus, started once and left up until `make down`.

An engine on another machine has Toxiproxy alone: it does not see the folder that Prometheus reads, so that a run brings
its own, here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom
from typing import Any

from lab.errors import LabError, ProxyError, StartError
from lab.model import Link
from lab.runtime.alone import alone
from lab.runtime.base import Address
from lab.runtime.compose import cli, names
from lab.runtime.compose.endpoint import ADDRESS, Endpoint
from lab.runtime.compose.engine import Engine
from lab.runtime.compose.mounts import open_sources
from lab.runtime.compose.taken import taken_ports
from lab.runtime.ready import http_ok
from lab.runtime.together import all_at_once
from lab.runtime.toxiproxy import FaultProxy, ProxiedLink, Refused, add_base_latency

NEEDED = ("toxiproxy", "prometheus")
READY = {
    "toxiproxy": (8474, "/version"),
    "prometheus": (9090, "/-/ready"),
    "grafana": (3000, "/api/health"),
    "reports": (8080, "/healthz"),
}
TARGETS = "/etc/prometheus/targets"  # where Prometheus looks for what it is to scrape
NEAR_PORTS = range(20_000, 21_000)  # inside the container, where nobody else listens
PATIENCE_S = 60.0
ALONE_S = 2 * PATIENCE_S  # one `docker compose up` before ours
CLOSING_S = 12.0
LOOK_EVERY_S = 0.05
LOOK_AGAIN_S = 0.5  # at a container's state
NEAR_S = 0.3


@dataclass(frozen=True)
class Shared:
    """Where the shared services answer, where links do, and the folder of what is scraped.

    `prometheus` and `targets` are None where each run has a Prometheus of its own.
    """

    proxy: Address
    prometheus: Address | None
    link_host: str
    link_ports: Sequence[int]
    targets: Path | None


def needed(where: Endpoint) -> Sequence[str]:
    """The shared services that runs on an engine stand on."""
    return NEEDED if where.is_here else NEEDED[:1]


def address(base: Mapping[str, Any], service: str, host: str) -> Address:
    """Where a shared service answers, as docker-compose.yml has it."""
    inside, _ = READY[service]
    return Address(host, next(p for p in _published(base, service) if p[0] == inside)[1])


async def ensure(
    engine: Engine, root: Path, base: Mapping[str, Any], services: Sequence[str] = NEEDED, pull: str = "never"
) -> tuple[Shared, list[str]]:
    """Start what is not up and wait until all answer; gives where, and what had to be started. Raises StartError."""
    folder = root / ".lab" / "compose"
    (folder / "targets").mkdir(parents=True, exist_ok=True)
    open_sources(root, base, services)
    host, is_here = engine.where.host, engine.where.is_here
    async with alone(folder, "another lab to start the shared containers", ALONE_S):
        missing = [name for name in services if name not in await _up(engine, base)]
        if missing:
            if is_here and (problem := taken_ports(base, missing)):
                raise StartError(problem)
            options = ("--detach", "--no-build", "--pull", pull, "--no-recreate", "--no-deps")
            await cli.run(root, "up", *options, *missing, env={"PUBLISH_AT": host})
    await all_at_once([_answer(engine, base, name) for name in services])
    there = await _up(engine, base)
    near = await _near(there["toxiproxy"]) if is_here else ""
    place = Shared(
        proxy=address(base, "toxiproxy", host),
        prometheus=address(base, "prometheus", host) if "prometheus" in services else None,
        link_host=near or host,
        link_ports=NEAR_PORTS if near else link_ports(base),
        targets=_watched(there["prometheus"]) if "prometheus" in services else None,
    )
    return place, missing


def _watched(prometheus: Mapping[str, Any]) -> Path:
    """The folder here that it looks into for what it is to scrape."""
    folder = next(Path(m["Source"]) for m in prometheus["Mounts"] if m["Destination"] == TARGETS)
    if not folder.is_dir():
        raise StartError(f"Prometheus is up for a lab in a folder that is gone ({folder}): `make down` first")
    return folder


def scraped_by(targets: Path, run: str) -> tuple[Path, Path]:
    """The files in that folder that name a run's services and say that it has proxies in Toxiproxy."""
    return targets / f"{run}.json", targets / "proxies" / f"{run}.json"


def link_ports(base: Mapping[str, Any]) -> list[int]:
    """The ports that docker-compose.yml publishes for links."""
    return [outside for inside, outside in _published(base, "toxiproxy") if inside != READY["toxiproxy"][0]]


async def open_links(
    proxy: FaultProxy, ports: Sequence[int], run: str, owner: str, upstreams: Mapping[Link, str]
) -> dict[Link, tuple[ProxiedLink, int]]:
    """A proxy for each link, at a port of its own among those that there are. Raises StartError."""
    opened: dict[Link, tuple[ProxiedLink, int]] = {}
    free = SystemRandom().sample(ports, len(ports))  # two runs seldom reach for the same, whatever seeded `random`
    for link, upstream in upstreams.items():
        while free and link not in opened:
            port = free.pop()
            with suppress(_Taken):
                name = str(names.Proxy(run, link.name, owner))
                opened[link] = (await _open(proxy, name, upstream, port), port)
                await add_base_latency(opened[link][0], link.distance_ms)
        if link not in opened:
            raise StartError(
                f"Toxiproxy has {len(ports)} ports for links and none is left for {link.name}: end other runs, "
                "`make heal`, or set a wider LINK_PORTS in .env, then `make down` and `make up`"
            )
    return opened


class StillOpen(ProxyError):
    """Links whose proxies could not be removed, as far as Toxiproxy said which it has, and why."""

    def __init__(self, links: Sequence[names.Proxy], why: ProxyError) -> None:
        self.links = links
        super().__init__(str(why))


async def close_links(proxy: FaultProxy, which: Callable[[names.Proxy], bool]) -> list[names.Proxy]:
    """Remove these links' proxies; gives which there were. Raises StillOpen where Toxiproxy is stuck for `CLOSING_S`.

    While it is connecting to an upstream that does not answer it answers nobody; better while the upstream is there.
    """
    deadline = time.monotonic() + CLOSING_S
    seen: dict[names.Proxy, None] = {}
    left: list[names.Proxy] = []
    while True:
        try:
            left = [link for link in map(names.Proxy.read, await proxy.names()) if link and which(link)]
            seen |= dict.fromkeys(left)
            while left:
                await proxy.remove(str(left[-1]))
                left.pop()
            return list(seen)
        except ProxyError as error:
            if time.monotonic() > deadline:
                raise StillOpen(left, error) from error
            await asyncio.sleep(LOOK_EVERY_S)


class _Taken(LabError):
    """Another run has that port."""


async def _open(proxy: FaultProxy, name: str, upstream: str, port: int) -> ProxiedLink:
    try:
        return await proxy.create(name, upstream, f"0.0.0.0:{port}")
    except Refused as error:
        if "in use" in str(error):
            raise _Taken(str(error)) from error
        raise


async def _up(engine: Engine, base: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The project's containers that run, by service: another server on the same port is none of them."""
    found = await engine.containers(f"com.docker.compose.project={base['name']}")
    return {each["Labels"]["com.docker.compose.service"]: each for each in found if each["State"] == "running"}


async def _near(toxiproxy: Mapping[str, Any]) -> str | None:
    """Toxiproxy's own address where this machine has a way to it, as on Linux; links then need no published port.

    Docker's port forwarding accepts a connection before it knows whether Toxiproxy would have, and ends it in its own
    way: behind it nobody could tell a refused connection from one that is closed or reset.
    """
    inside, path = READY["toxiproxy"]
    for network in toxiproxy["NetworkSettings"]["Networks"].values():
        with suppress(OSError, EOFError, TimeoutError):
            async with asyncio.timeout(NEAR_S):
                if await http_ok(Address(network["IPAddress"], inside), path):
                    return str(network["IPAddress"])
    return None


async def _answer(engine: Engine, base: Mapping[str, Any], name: str) -> None:
    """Wait until a service answers. Raises StartError, at once where its container has exited."""
    at, deadline, look_again = address(base, name, engine.where.host), time.monotonic() + PATIENCE_S, 0.0
    while True:
        with suppress(OSError, EOFError, TimeoutError):
            async with asyncio.timeout(1.0):
                if await http_ok(at, READY[name][1]):
                    return
        if time.monotonic() >= look_again:
            await _see_running(engine, base, name)
            look_again = time.monotonic() + LOOK_AGAIN_S
        if time.monotonic() > deadline:
            raise StartError(
                f"{name} did not answer at {at} within {PATIENCE_S:g} s: `docker compose logs {name}`; "
                f"where the engine is on another machine, {ADDRESS} must name an address of it (`make down` first)"
            )
        await asyncio.sleep(LOOK_EVERY_S)


async def _see_running(engine: Engine, base: Mapping[str, Any], name: str) -> None:
    """Raises StartError with the last log lines of a service's container that has exited."""
    for each in await engine.containers(f"com.docker.compose.project={base['name']}"):
        if each["Labels"]["com.docker.compose.service"] == name and each["State"] in ("exited", "dead"):
            words = await engine.last_words(each["Id"])
            raise StartError(
                f"{name} exited ({each['Status']}); `make up` starts it again; the last log lines of its container "
                f"{each['Names'][0].lstrip('/')}:\n{words}"
            )


def _published(base: Mapping[str, Any], service: str) -> list[tuple[int, int]]:
    """Ports that a service publishes, inside and outside."""
    return [(int(port["target"]), int(port["published"])) for port in base["services"][service].get("ports", [])]
