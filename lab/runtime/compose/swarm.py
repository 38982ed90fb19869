"""
The swarm runtime: the stacks of the compose runtime, deployed by `docker stack deploy` on this node of a Swarm.

Toxiproxy and Prometheus stay the containers of docker-compose.yml and join the Swarm's network. Tasks publish no port,
which a Swarm would do on every address of its node: the lab reaches each by its address on the node's own bridge.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from lab.errors import LabError, StartError
from lab.model import Member
from lab.runtime.base import Address, Stack
from lab.runtime.compose import cli, names
from lab.runtime.compose.endpoint import environment
from lab.runtime.compose.engine import Engine
from lab.runtime.compose.found import Found
from lab.runtime.compose.runtime import ComposeRunning, ComposeRuntime, listens
from lab.runtime.compose.swarmfile import network_name, swarm_service
from lab.runtime.credentials import write_private
from lab.runtime.supervisor import Supervisor

BRIDGE = "docker_gwbridge"  # each task on an overlay network has an address on it, for its way out
STACK = "com.docker.stack.namespace"
SERVICE = "com.docker.swarm.service.name"
OVER = ("complete", "failed", "orphaned", "rejected", "shutdown")
PATIENCE_S = 30.0
LOOK_EVERY_S = 0.1


async def node(engine: Engine) -> str:
    """This node's id. Raises LabError where the engine manages no Swarm, or is not this machine's."""
    if not engine.where.is_here:
        raise LabError(
            f"RUNTIME=swarm needs the engine of this machine, and {engine.where.url} is another's: run the lab there"
        )
    found = (await engine.call("GET", "/info")).get("Swarm") or {}
    if found.get("LocalNodeState") != "active" or not found.get("ControlAvailable"):
        raise LabError(
            f"the Docker engine at {engine.where.url} manages no Swarm: `docker swarm init --advertise-addr 127.0.0.1 "
            "--listen-addr 127.0.0.1:2377` makes one of this node alone, `docker swarm leave --force` ends it"
        )
    return str(found["NodeID"])


class SwarmRuntime(ComposeRuntime):
    """Runs stacks as services of a Swarm, beside the shared Toxiproxy and Prometheus."""

    name = "swarm"

    @classmethod
    async def open(cls, supervisor: Supervisor, found: Found) -> Self:
        """Start what runs share, and have it on the Swarm's network. Raises LabError where there is no Swarm."""
        runtime = await super().open(supervisor, found)
        try:
            await runtime._join()
        except BaseException:
            await runtime.close()
            raise
        return runtime

    async def _join(self) -> None:
        self._node, self._network = await node(self._engine), network_name(self._found.base, "swarm")
        if await self._engine.network(self._network) is None:
            body: dict[str, Any] = {"Name": self._network, "Driver": "overlay", "Attachable": True}
            await self._engine.call("POST", "/networks/create", body=body)
        for each in await self._engine.containers(f"com.docker.compose.project={self._found.base['name']}"):
            if self._network not in each["NetworkSettings"]["Networks"] and each["State"] == "running":
                alias = each["Labels"]["com.docker.compose.service"]
                body = {"Container": each["Id"], "EndpointConfig": {"Aliases": [alias]}}
                await self._engine.call("POST", f"/networks/{self._network}/connect", body=body)

    def _running(self, stack: Stack, logs: Path) -> ComposeRunning:
        words = (stack, logs, self._supervisor, self._found, self._engine, self.shared, self.left, self._credentials)
        return SwarmRunning(self._node, self._network, *words)


class SwarmRunning(ComposeRunning):
    """A stack of services with one task each, all on this node."""

    def __init__(self, node_id: str, network: str, *words: Any) -> None:
        super().__init__(*words)
        self._node = node_id
        self._network = network
        self._deployed: list[Member] = []

    async def _create(self, file: Path, members: Sequence[Member]) -> None:
        """Deploy these members beside those that are there, and wait until each has a container."""
        self._deployed += members
        own = self._rewritten(file)
        argv = ("docker", "stack", "deploy", "--resolve-image", "never", "--compose-file", str(own))
        log = self._logs / "stack.log"
        child = self._supervisor.spawn("docker stack", [*argv, self._project], env=environment(), log=log)
        if await child.wait():
            raise StartError(cli.last_words(("stack deploy",), child.tail()).replace("docker compose", "docker"))
        for member in members:
            container = await self._container(member)
            self._containers[member] = container
            self._addresses[member] = Address(await self._near(container), listens(member))

    def _rewritten(self, file: Path) -> Path:
        own = file.with_suffix(".swarm.json")
        write_private(own, json.dumps(self._as_swarm(json.loads(file.read_text())), indent=2))
        return own

    def _as_swarm(self, stack: Mapping[str, Any]) -> dict[str, Any]:
        hosts = {self._hosts[member]: member for member in self._deployed}
        there = {host: each for host, each in stack["services"].items() if host in hosts}
        services = {}
        for host, each in there.items():
            service = swarm_service(each, [f"node.id == {self._node}"], self._labels())
            services[names.task(hosts[host].name)] = {**service, "networks": {"lab": {"aliases": [host]}}}
        return {"services": services, "networks": {"lab": {"name": self._network, "external": True}}}

    async def _container(self, member: Member) -> str:
        """The container of a member's task. Raises StartError where it got none, in the Swarm's words."""
        name = f"{self._project}_{names.task(member.name)}"
        deadline = time.monotonic() + PATIENCE_S
        while not (found := await self._engine.containers(f"{SERVICE}={name}")):
            filters = json.dumps({"service": [name]})
            tasks = await self._engine.call("GET", "/tasks", {"filters": filters})
            said = [each["Status"].get("Err") or each["Status"]["Message"] for each in tasks]
            if any(each["Status"]["State"] in OVER for each in tasks) or time.monotonic() > deadline:
                raise StartError(f"{member.name} got no container ({'; '.join(said)}): `docker service ps {name}`")
            await asyncio.sleep(LOOK_EVERY_S)
        return str(found[0]["Id"])

    async def _near(self, container: str) -> str:
        """A task's address on this node's bridge."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            found = (await self._engine.network(BRIDGE) or {}).get("Containers") or {}
            if container in found:
                return str(found[container]["IPv4Address"]).partition("/")[0]
            await asyncio.sleep(LOOK_EVERY_S)
        raise StartError(f"container {container[:12]} has no address on {BRIDGE}: `docker logs {container[:12]}`")

    async def _remove(self) -> None:
        """Remove the stack's services, and what is left of their containers: the Swarm takes its time over them."""
        await self._engine.remove_services(f"{STACK}={self._project}")
        deadline = time.monotonic() + PATIENCE_S
        while (left := await self._engine.containers(f"{STACK}={self._project}")) and time.monotonic() < deadline:
            await asyncio.gather(*(self._engine.remove(each["Id"]) for each in left))
            await asyncio.sleep(LOOK_EVERY_S)
