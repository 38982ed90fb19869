"""Removes what dead runs left in the engine: their containers, their proxies in the shared Toxiproxy, their targets."""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from lab.errors import LabError, ProxyError
from lab.runtime import processes
from lab.runtime.base import Address
from lab.runtime.compose import names, shared
from lab.runtime.compose.endpoint import endpoint
from lab.runtime.compose.engine import Engine
from lab.runtime.toxiproxy import FaultProxy


def owner() -> str:
    """This lab, as the label of its containers names it: machine, process id, start of the process."""
    me = processes.look(os.getpid())
    return f"{_machine()} {os.getpid()} {me.started if me else ''}"


def _machine() -> str:
    """One word: a container that shares its host's name has another namespace of process ids."""
    return f"{socket.gethostname()}/{processes.here()['namespace']}"


def is_dead(owner: str) -> bool:
    """Whether the lab that a label names is surely gone: one of another machine may well be alive."""
    machine, _, rest = owner.partition(" ")
    pid, _, started = rest.partition(" ")
    if machine not in (_machine(), socket.gethostname()) or not pid.isdigit():  # earlier labs named no namespace
        return False
    process = processes.look(int(pid))
    return process is None or process.started != started


async def heal_containers(dead: Iterable[str]) -> list[str]:
    """Clean up after these runs and after every other whose lab is gone; a sentence for each thing removed.

    Containers and proxies say themselves whose they are: a proxy may be all that is left of a run.
    Where no engine answers there is nothing to be done: what is in it waits for the next time.
    """
    try:
        engine = Engine(endpoint())
    except LabError:
        return []
    try:
        if not await engine.answers():
            return []
        containers = await engine.containers(names.LABEL_RUN)
        gone = {*dead, *(_run(each) for each in containers if is_dead(each["Labels"].get(names.LABEL_OWNER, "")))}
        said = [
            f"run {run}: removed service {name} from the Swarm"
            for run in sorted(gone)
            for name in await engine.remove_services(f"{names.LABEL_RUN}={run}")
        ]
        for each in await engine.containers("com.docker.compose.service=toxiproxy"):
            said += await unlink(each, engine.where.host, gone)
        for each in containers:
            if _run(each) in gone:
                await engine.remove(each["Id"])
                said.append(f"run {_run(each)}: removed container {each['Names'][0].lstrip('/')}")
        for each in await engine.containers("com.docker.compose.service=prometheus") if gone else []:
            said += _forget(each, sorted(gone))
        return said
    finally:
        await engine.close()


async def unlink(toxiproxy: Mapping[str, Any], host: str, dead: Collection[str]) -> list[str]:
    """Remove the proxies of dead runs, and of every other whose lab is gone, with whatever toxics are on them.

    `toxiproxy` is its container, as the engine lists it. One that has ended has none: they are in its memory alone.
    """
    if toxiproxy["State"] in ("created", "exited", "dead"):  # after a crash of the engine its ports are listed still
        return []
    ports = [each["PublicPort"] for each in toxiproxy["Ports"] if each["PrivatePort"] == 8474 and "PublicPort" in each]
    if not ports:
        return []
    server = FaultProxy(Address(host, ports[0]))
    try:
        await server.names()  # one that hangs is not waited for any longer than this
        closed = await shared.close_links(server, lambda link: link.run in dead or is_dead(link.owner))
        return [f"run {link.run}: removed proxy {link.link} from Toxiproxy" for link in closed]
    except ProxyError as error:
        container = toxiproxy["Names"][0].lstrip("/")
        return [
            f"what dead runs may have left in Toxiproxy (container {container}) cannot be removed: {error}; "
            "`make heal` again when it answers, or `make down`: all proxies end with it"
        ]
    finally:
        server.close()


def _forget(prometheus: Mapping[str, Any], runs: Iterable[str]) -> list[str]:
    """Have Prometheus look for the containers of these runs no more."""
    folders = [Path(m["Source"]) for m in prometheus["Mounts"] if m["Destination"] == shared.TARGETS]
    there = [file for folder in folders for run in runs for file in shared.scraped_by(folder, run) if file.exists()]
    for file in there:
        file.unlink(missing_ok=True)
    return [f"run {run}: is scraped no more" for run in dict.fromkeys(file.stem for file in there)]


def _run(container: Mapping[str, Any]) -> str:
    return str(container["Labels"][names.LABEL_RUN])
