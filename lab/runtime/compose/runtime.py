"""The compose runtime: every member is a container of docker-compose.yml, every link a proxy of one real Toxiproxy."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Self

from lab.errors import LabError, MissingPart, StartError
from lab.kit.tasks import awaiting, surely
from lab.model import Backing, Env, Link, Member, Scalar, Service
from lab.model.bench import DiskControl, LinkControl, Moment, ProcessControl
from lab.runtime import backing
from lab.runtime.base import Address, Spy, Stack
from lab.runtime.clusters import followed, of_peers, settings_of_members
from lab.runtime.compose import cli, names, shared
from lab.runtime.compose.endpoint import endpoint, environment
from lab.runtime.compose.engine import Engine, EngineError
from lab.runtime.compose.found import Found
from lab.runtime.compose.heal import owner
from lab.runtime.compose.member_container import MemberContainer
from lab.runtime.compose.mounts import open_sources
from lab.runtime.compose.shared import Shared
from lab.runtime.compose.spy import beside
from lab.runtime.compose.stackfile import Placed, stack_file
from lab.runtime.credentials import Credentials, write_private
from lab.runtime.moments import Moments
from lab.runtime.ports import free_port
from lab.runtime.ready import PortTaken, service_ok
from lab.runtime.supervisor import Supervisor
from lab.runtime.together import all_at_once, text
from lab.runtime.tools import Tools
from lab.runtime.toxiproxy import FaultProxy, ProxiedLink

TRIES = 3
GRACE_S = 6.0  # a target finishes what is in flight within 5 s
STOP_S = 60.0  # for all containers of a stack, with an engine that is busy


class ComposeRuntime:
    """Runs stacks as containers beside the shared Toxiproxy and Prometheus."""

    name = "compose"

    def __init__(
        self, supervisor: Supervisor, found: Found, engine: Engine, place: Shared, proxy: str, clock: str = ""
    ) -> None:
        self.proxy = proxy
        self._clock = {"clock of the Docker engine": clock} if clock else {}
        self.shared = place
        self.tools = Tools()
        self.left: list[str] = []
        self._credentials = Credentials.fresh()
        self._supervisor = supervisor
        self._found = found
        self._engine = engine

    @classmethod
    async def open(cls, supervisor: Supervisor, found: Found) -> Self:
        """Start what runs share, where it is not up. Raises StartError, with the owner of a port that is taken."""
        engine = Engine(endpoint())
        try:
            place, _ = await shared.ensure(engine, found.root, found.base, shared.needed(engine.where))
            server = FaultProxy(place.proxy)
            try:
                version = await server.version()
            finally:
                server.close()
            clock = "" if engine.where.is_here else await _clock(engine)
        except BaseException:
            await engine.close()
            raise
        return cls(supervisor, found, engine, place, f"Toxiproxy {version} (container)", clock)

    def versions(self) -> Mapping[str, str]:
        """Engine, Compose, the fault proxy and each image; and whatever runs here beside them."""
        return {"fault proxy": self.proxy, **self._clock, **self._found.versions, **self.tools.versions()}

    async def start(self, stack: Stack, logs: Path) -> ComposeRunning:
        """Start a stack fresh; should somebody take one of its ports meanwhile, again on others."""
        for tries_left in reversed(range(TRIES)):
            running = self._running(stack, logs)
            try:
                await running.start()
            except BaseException as error:
                await surely(running.stop())
                if isinstance(error, PortTaken) and tries_left:
                    continue
                raise
            return running
        raise AssertionError("the last try returns or raises")

    def _running(self, stack: Stack, logs: Path) -> ComposeRunning:
        words = (self._supervisor, self._found, self._engine, self.shared, self.left, self._credentials)
        return ComposeRunning(stack, logs, *words)

    async def close(self) -> None:
        """Toxiproxy and Prometheus stay up for the next run; only the connections end."""
        await self._engine.close()


class ComposeRunning:
    """A stack of containers; the bench that faults work at."""

    def __init__(
        self,
        stack: Stack,
        logs: Path,
        supervisor: Supervisor,
        found: Found,
        engine: Engine,
        place: Shared,
        left: list[str],
        credentials: Credentials,
    ) -> None:
        self._left = left
        self._credentials = credentials
        self._stack = stack
        self._logs = logs
        self._supervisor = supervisor
        self._found = found
        self._engine = engine
        self._shared = place
        self._project = names.project(supervisor.run_id, stack.label)
        self._hosts = {member: names.host(supervisor.run_id, stack.label, member.name) for member in stack.members}
        self._addresses = {member: Address(engine.where.host, free_port()) for member in stack.members}
        self._containers = dict(self._hosts)
        self._moments = Moments()
        self._started: dict[Member, MemberContainer] = {}
        self._links: dict[Link, tuple[ProxiedLink, int]] = {}
        self._joined: Mapping[Backing, Env] = {}
        self._followed = followed(stack.links)
        self._proxy = FaultProxy(place.proxy)
        self._stopped = False

    async def start(self) -> None:
        """Links first, then all containers at once. Raises StartError."""
        upstreams = {link: f"{self._hosts[link.callee]}:{_port(link)}" for link in self._stack.links}
        self._links = await shared.open_links(
            self._proxy, self._shared.link_ports, self._supervisor.run_id, owner(), upstreams
        )
        self._joined = settings_of_members(self._stack.links, _peer_address, self._inside)
        file = self._supervisor.scratch / f"{self._project}.json"
        placed = {member: self._placed(member) for member in self._stack.members}
        open_sources(self._found.root, self._found.base, {each.service for each in placed.values()})
        content = stack_file(self._found.base, self._project, placed, self._labels())
        write_private(file, json.dumps(content, indent=2))  # it has passwords in it
        servers = [member for member in self._stack.members if isinstance(member, Backing)]
        services = [member for member in self._stack.members if isinstance(member, Service)]
        standbys = [server for server in servers if server in self._followed]
        for members in ([each for each in servers if each not in standbys], standbys):
            if members:  # a service may want its database at once, and a standby its primary
                await self._up(file, members)
        if services:
            await self._up(file, services)

    def members(self) -> Collection[Member]:
        """The members of the stack."""
        return self._stack.members

    def link(self, link: Link) -> LinkControl:
        """The proxy of a link."""
        return self._links[link][0]

    def process(self, member: Member) -> ProcessControl:
        """The container of a member."""
        return self._started[member]

    def moment(self, source: str, text: str) -> None:
        """Keep an event that happens now."""
        self._moments.add(source, text)

    @property
    def moments(self) -> Sequence[Moment]:
        """What was kept, in order of time."""
        return self._moments.all

    def disk(self, member: Member) -> DiskControl:
        """None here: `choose` gives a scenario that needs one to local processes."""
        raise LabError(f"{member.name}: containers have no disk of the lab's own; use RUNTIME=local")

    @property
    def disk_urls(self) -> Mapping[str, str]:
        """None."""
        return {}

    def journal(self, what: str, **facts: Scalar) -> AbstractContextManager[None]:
        """Write a fault down before it goes in, and on exit that it is out again."""
        return self._supervisor.journal.fault(what, **facts)

    def address(self, member: Member) -> Address:
        """Where a member's published port answers, with no proxy between."""
        return self._addresses[member]

    def link_address(self, link: Link) -> Address:
        """Where this machine reaches the link's proxy."""
        return Address(self._shared.link_host, self._links[link][1])

    def url(self, target: Member | Link) -> str:
        """As a caller on this machine is told a member, or the link to it, with what lets it in."""
        if isinstance(target, Link):
            return backing.called(target.callee, self.link_address(target), self._credentials)
        return backing.called(target, self._addresses[target], self._credentials)

    def statistics_url(self, server: Backing) -> str:
        """As the lab itself logs in to read a server's counters."""
        return backing.statistics_called(server, self._addresses[server], self._credentials)

    def pids(self, member: Member) -> Sequence[int]:
        """Process ids of a member where they are this machine's, the first one first."""
        return self._started[member].pids()

    def spies(self, member: Member) -> Sequence[Spy]:
        """One container of the profiler's, in the process namespace of the member's."""
        started, base = self._started[member], self._found.base["services"]["profiler"]
        return [beside(started.container, base, self._labels())] if started.lives() else []

    @property
    def proxy_url(self) -> None:
        """Nowhere: Prometheus scrapes the Toxiproxy that all runs share, whoever runs."""

    def deaths(self) -> Sequence[str]:
        """Members that ended though nobody asked them to."""
        return [death for started in self._started.values() for death in started.deaths()]

    async def stop(self) -> None:
        """Remove the proxies, stop the services, then what they stand on; remove every container of the stack.

        To its end, also when cancelled. What a mute engine keeps is a sentence in the runtime's `left`.
        """
        if not self._stopped:
            self._stopped = True
            await surely(self._stop())

    async def _stop(self) -> None:
        with awaiting(f"Toxiproxy at {self._shared.proxy}"):
            await self._close_links()
        try:
            async with asyncio.timeout(STOP_S):
                with awaiting(f"the Docker engine at {self._engine.where.url}"):
                    await self._stop_containers()
        except (TimeoutError, EngineError) as error:
            why = str(error) or f"not stopped within {STOP_S:g} s"
            self._left.append(
                f"containers of project {self._project} may still be there ({why}): "
                "`make heal` removes them once the engine answers"
            )
        finally:
            await asyncio.gather(*(started.forget() for started in self._started.values()))

    async def _stop_containers(self) -> None:
        services = [started for member, started in self._started.items() if isinstance(member, Service)]
        servers = [started for member, started in self._started.items() if isinstance(member, Backing)]
        for group in (services, servers):
            await asyncio.gather(*(started.stop(GRACE_S) for started in group), return_exceptions=True)
        await self._remove()

    async def _close_links(self) -> None:
        """Remove the links' proxies; whatever Toxiproxy does, everything else is stopped as well."""
        try:
            await shared.close_links(self._proxy, lambda link: link.run == self._supervisor.run_id)
        except shared.StillOpen as error:
            links = [link.link for link in error.links] or [link.name for link in self._stack.links]
            self._left.append(
                f"Toxiproxy may still have {', '.join(links)} of run {self._supervisor.run_id}, "
                f"which it did not remove ({error}): `make heal` "
                "removes what is left, `make down` ends Toxiproxy with all its proxies"
            )
        finally:
            self._proxy.close()

    async def _up(self, file: Path, members: Sequence[Member]) -> None:
        """Create and start the containers of some members, and wait until all are ready."""
        await self._create(file, members)
        await all_at_once([self._attend(member) for member in members])

    async def _create(self, file: Path, members: Sequence[Member]) -> None:
        """Have Compose create and start their containers."""
        options = ("up", "--detach", "--no-deps", "--no-build", "--pull", "never", "--force-recreate")
        child = self._supervisor.spawn(
            "docker compose",
            cli.argv(
                "--project-name", self._project, "--file", str(file), *options, *(self._hosts[m] for m in members)
            ),
            env=environment(),
            log=self._logs / "compose.log",
            cwd=self._found.root,
        )
        if await child.wait():
            said = child.tail()
            taken = "port is already allocated" in said or "address already in use" in said
            raise (PortTaken if taken else StartError)(cli.last_words(("up",), said))

    async def _remove(self) -> None:
        """Remove the containers of the stack, running or not."""
        left = await self._engine.containers(f"com.docker.compose.project={self._project}")
        await asyncio.gather(*(self._engine.remove(each["Id"]) for each in left))

    async def _attend(self, member: Member) -> None:
        address = self._addresses[member]
        ready = (
            partial(backing.kind_of(member.kind).ready, address, self._credentials)
            if isinstance(member, Backing)
            else partial(service_ok, address, member.name, self._supervisor.run_id)
        )
        log = self._logs / f"{member.name}.log"
        started = MemberContainer(
            member, address, self._containers[member], ready, log, self._engine, self._moments.of(member)
        )
        self._started[member] = started
        await started.begin()

    def _placed(self, member: Member) -> Placed:
        service, address = names.service_of(member), self._addresses[member]
        place = partial(
            Placed,
            service,
            self._hosts[member],
            self._found.images[service],
            listens(member),
            (address.host, address.port),
        )
        if isinstance(member, Service):
            return place(env=self._service_env(member))
        settings = {**self._stack.env.get(member, member.settings), **self._joined.get(member, {})}
        recipe = _recipe(member, settings)
        told = {**recipe.env, **self._credentials.environment, **self._follows(member)}
        return place(command=tuple(recipe.command), env=told, keeps_env=True)

    def _follows(self, server: Backing) -> Mapping[str, str]:
        """What makes a standby of a server; nothing where it is none."""
        follows = backing.kind_of(server.kind).follows
        link = self._followed.get(server)
        return follows(server.name, self._inside(link)) if follows and link else {}

    def _service_env(self, service: Service) -> dict[str, str]:
        own = self._stack.env.get(service, service.env)
        urls = {link.env_name: self._url(link) for link in self._stack.links if link.caller == service}
        told = {name: text(value) for name, value in own.items()}
        return {**told, **urls, "SERVICE_NAME": service.name, "RUN_ID": self._supervisor.run_id}

    def _url(self, link: Link) -> str:
        """What the caller is told: the proxy's address in the network, in the form that the callee's kind has."""
        return backing.called(link.callee, self._inside(link), self._credentials)

    def _inside(self, link: Link) -> Address:
        """Where containers reach the link's proxy."""
        return Address("toxiproxy", self._links[link][1])

    def _labels(self) -> dict[str, str]:
        return {names.LABEL_RUN: self._supervisor.run_id, names.LABEL_OWNER: owner()}


async def _clock(engine: Engine) -> str:
    ahead_s, within_s = await engine.clock()
    return f"{ahead_s * 1000:+.1f} ms against this machine's, within {within_s * 1000:.1f} ms"


def _recipe(server: Backing, settings: Env) -> backing.Recipe:
    make = backing.kind_of(server.kind).recipe
    if make is None:
        raise MissingPart(f"{server.kind} cannot run in a container yet: its kind has no recipe; use RUNTIME=local")
    return make(settings)


def _port(link: Link) -> int:
    """Where a link's callee listens for that caller, inside its container."""
    if of_peers(link) and isinstance(link.callee, Backing):
        return _peer_address(link.callee).port
    return listens(link.callee)


def _peer_address(server: Backing) -> Address:
    """Where a member of a cluster listens for the others, inside its container."""
    return Address("0.0.0.0", backing.kind_of(server.kind).peer_port)


def listens(member: Member) -> int:
    """Where a member listens inside its container."""
    return backing.kind_of(member.kind).port if isinstance(member, Backing) else names.TARGET_PORT
