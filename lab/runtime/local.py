"""The local runtime: every member is a process on 127.0.0.1, every link a proxy of one fault proxy."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from functools import partial
from pathlib import Path

from lab.errors import ProxyError, StartError
from lab.kit.tasks import surely
from lab.model import Backing, Disk, Link, Member, Scalar, Service
from lab.model.bench import DiskControl, LinkControl, Moment, ProcessControl
from lab.runtime import backing
from lab.runtime.base import Address, Spy, Stack
from lab.runtime.clusters import followed, of_peers, settings_of_members
from lab.runtime.credentials import Credentials
from lab.runtime.disk import MountedDisk
from lab.runtime.member_process import Command, MemberProcess
from lab.runtime.moments import Moments
from lab.runtime.ports import free_port
from lab.runtime.ready import PortTaken, Ready, http_ok, service_ok, wait_ready
from lab.runtime.spy import beside
from lab.runtime.supervisor import Managed, Supervisor
from lab.runtime.together import all_at_once, text
from lab.runtime.tools import Program, ProxyProgram, Tools
from lab.runtime.toxiproxy import FaultProxy, ProxiedLink, add_base_latency
from lab.runtime.unprivileged import give, lead_through, within_reach

HOST = "127.0.0.1"
ROOT = Path(__file__).resolve().parents[2]  # where `targets` is
TRIES = 3
GRACE_S = 6.0  # a target finishes what is in flight within 5 s


def parts_of(members: Iterable[Member]) -> list[str]:
    """The parts (names of lab.runtime.parts) that members need, `nats>=2.10` where an older one will not do.

    Raises MissingPart for a kind it cannot start.
    """
    servers = [member for member in members if isinstance(member, Backing)]
    wanted = {(backing.kind_of(server.kind).part, server.since) for server in servers}
    return sorted(f"{part}>={since}" if since else part for part, since in wanted)


class LocalRuntime:
    """Runs stacks as processes of a supervisor, with the servers that `tools` finds."""

    name = "local"

    def __init__(self, supervisor: Supervisor, tools: Tools) -> None:
        self._supervisor = supervisor
        self.tools = tools
        self._proxy_program = tools.fault_proxy()
        self._stacks = 0
        self._credentials = Credentials.fresh()
        self.left: list[str] = []  # never any: the fault proxy is a process of the stack

    @property
    def proxy(self) -> str:
        """Which fault proxy stands in the links, with its version."""
        return self._proxy_program.text

    def versions(self) -> Mapping[str, str]:
        """Version of the fault proxy and of each server that was needed so far."""
        return {"fault proxy": self.proxy, **self.tools.versions()}

    async def start(self, stack: Stack, logs: Path) -> LocalRunning:
        """Start a stack fresh; should somebody take one of its ports meanwhile, again on others."""
        programs = await asyncio.to_thread(self.tools.need, *parts_of(stack.members))
        for tries_left in reversed(range(TRIES)):
            self._stacks += 1
            data = self._supervisor.scratch / f"stack-{self._stacks}"
            words = (self._supervisor, programs, self._proxy_program, self._credentials)
            running = LocalRunning(stack, logs, data, *words)
            try:
                await running.start()
            except BaseException as error:
                await surely(running.stop())
                if isinstance(error, PortTaken) and tries_left:
                    continue
                raise
            return running
        raise AssertionError("the last try returns or raises")

    async def close(self) -> None:
        """Nothing is kept between stacks: a fresh fault proxy starts while the services do."""


class LocalRunning:
    """A stack of processes; the bench that faults work at."""

    def __init__(
        self,
        stack: Stack,
        logs: Path,
        data: Path,
        supervisor: Supervisor,
        programs: Mapping[str, Program],
        proxy_program: ProxyProgram,
        credentials: Credentials,
    ) -> None:
        self._stack = stack
        self._logs = logs
        self._data = data
        self._supervisor = supervisor
        self._programs = programs
        self._proxy_program = proxy_program
        self._credentials = credentials
        self._addresses = {member: Address(HOST, free_port()) for member in stack.members}
        self._link_addresses = {link: Address(HOST, free_port()) for link in stack.links}
        self._peer_addresses = {link.callee: Address(HOST, free_port()) for link in stack.links if of_peers(link)}
        self._joined = settings_of_members(
            stack.links, lambda server: self._peer_addresses[server], lambda link: self._link_addresses[link]
        )
        self._moments = Moments()
        self._followed = followed(stack.links)
        self._started: dict[Member, MemberProcess] = {}
        self._links: dict[Link, ProxiedLink] = {}
        self._disks: dict[Member, MountedDisk] = {}
        self._folders: dict[Member, Path] = {}  # of each server's data
        self._proxy: FaultProxy | None = None
        self._proxy_child: Managed | None = None

    async def start(self) -> None:
        """Backing servers and the fault proxy first, then standbys, then all services at once. Raises StartError."""
        servers = [member for member in self._stack.members if isinstance(member, Backing)]
        services = [member for member in self._stack.members if isinstance(member, Service)]
        proxy = [self._start_proxy()] if self._stack.links else []
        # A service comes up without its callees, as everywhere, but it may want its database at once.
        if servers:
            into = self._supervisor.for_servers() / "programs"
            self._programs = await asyncio.to_thread(within_reach, self._programs, into)
            standbys = [server for server in servers if server in self._followed]
            first = [server for server in servers if server not in standbys]
            await all_at_once([*(self._start_backing(server) for server in first), *proxy])
            await all_at_once([self._start_backing(server) for server in standbys])
            proxy = []
        await all_at_once([*(self._start_service(service) for service in services), *proxy])

    def members(self) -> Collection[Member]:
        """The members of the stack."""
        return self._stack.members

    def link(self, link: Link) -> LinkControl:
        """The proxy of a link."""
        return self._links[link]

    def process(self, member: Member) -> ProcessControl:
        """The process of a member."""
        return self._started[member]

    def moment(self, source: str, text: str) -> None:
        """Keep an event that happens now."""
        self._moments.add(source, text)

    @property
    def moments(self) -> Sequence[Moment]:
        """What was kept, in order of time."""
        return self._moments.all

    def disk(self, member: Member) -> DiskControl:
        """The disk under a member's data."""
        return self._disks[member]

    @property
    def disk_urls(self) -> Mapping[str, str]:
        """Where each disk has its metrics."""
        return {disk.name: disk.address.url for disk in self._disks.values()}

    def journal(self, what: str, **facts: Scalar) -> AbstractContextManager[None]:
        """Write a fault down before it goes in, and on exit that it is out again."""
        return self._supervisor.journal.fault(what, **facts)

    def address(self, member: Member) -> Address:
        """Where a member listens, with no proxy between."""
        return self._addresses[member]

    def link_address(self, link: Link) -> Address:
        """Where the link's proxy listens."""
        return self._link_addresses[link]

    def url(self, target: Member | Link) -> str:
        """As a caller on this machine is told a member, or the link to it, with what lets it in."""
        if isinstance(target, Link):
            return self._url(target)
        return backing.called(target, self._addresses[target], self._credentials)

    def statistics_url(self, server: Backing) -> str:
        """As the lab itself logs in to read a server's counters."""
        return backing.statistics_called(server, self._addresses[server], self._credentials)

    def pids(self, member: Member) -> Sequence[int]:
        """Process ids of a member, the first one first; empty where it is gone."""
        return self._started[member].pids()

    def spies(self, member: Member) -> Sequence[Spy]:
        """One for each of its processes."""
        return [beside(pid) for pid in self.pids(member)]

    @property
    def proxy_url(self) -> str | None:
        """The API of this stack's fault proxy; None where no link needs one."""
        return self._proxy.address.url if self._proxy else None

    def deaths(self) -> Sequence[str]:
        """Members, disks and the fault proxy that ended though nobody asked them to."""
        found = [death for started in self._started.values() for death in started.deaths()]
        own = [("the fault proxy", self._proxy_child), *((disk.name, disk.process) for disk in self._disks.values())]
        for name, child in own:
            if child and child.returncode is not None and not child.asked_to_end:
                found.append(f"{name} ended by itself; its last log lines ({child.log}):\n{child.tail()}")
        return found

    async def stop(self) -> None:
        """Stop the services, then what they stand on."""
        services = [started for member, started in self._started.items() if isinstance(member, Service)]
        servers = [started for member, started in self._started.items() if isinstance(member, Backing)]
        for group in (services, servers):  # one that hangs keeps no other from it, and the supervisor tells which did
            await asyncio.gather(*(started.stop(GRACE_S) for started in group), return_exceptions=True)
        await asyncio.gather(*(disk.stop() for disk in self._disks.values()), return_exceptions=True)
        if self._proxy:
            self._proxy.close()
        if self._proxy_child:
            with suppress(StartError):
                await self._proxy_child.stop(GRACE_S)

    async def _start_service(self, service: Service) -> None:
        address = self._addresses[service]
        data = self._data / service.name
        data.mkdir(parents=True, exist_ok=True)
        await self._mount(service, data)
        mine = [link for link in self._stack.links if link.caller == service]
        urls = {link.env_name: self._url(link) for link in mine}
        folders = {link.data_name: str(self._folders[link.callee]) for link in mine if link.callee in self._folders}
        own = self._stack.env.get(service, service.env)
        env = {
            **{name: text(value) for name, value in own.items()},
            **urls,
            **folders,
            "HOST": address.host,
            "PORT": str(address.port),
            "DATA_DIR": str(data),
            "SERVICE_NAME": service.name,
            "RUN_ID": self._supervisor.run_id,
        }
        command = Command([sys.executable, "-m", f"targets.{service.target}"], env, cwd=ROOT)
        ready = partial(service_ok, address, service.name, self._supervisor.run_id)
        await self._process_of(service, command, ready).start()

    async def _start_backing(self, server: Backing) -> None:
        kind, home = backing.kind_of(server.kind), self._supervisor.for_servers()
        data, shared = home / self._data.name / server.name, home / "shared"
        for folder in (data.parent, shared):
            lead_through(folder)
        data.mkdir(exist_ok=True)
        self._folders[server] = data
        give(data)
        data.chmod(0o700)  # some servers leave theirs open to everybody
        settings = {**self._stack.env.get(server, server.settings), **self._joined.get(server, {})}
        address = self._addresses[server]
        words = (self._programs, self._supervisor, self._credentials)
        upstream = self._link_addresses[self._followed[server]] if server in self._followed else None
        ground = backing.StartContext(server.name, address, data, shared, settings, *words, upstream)
        command = await kind.prepare(ground)
        await self._mount(server, data)
        await self._process_of(server, command, partial(kind.ready, address, self._credentials)).start()

    async def _mount(self, member: Member, data: Path) -> None:
        """Put a disk under the data of a member that is to have one."""
        if member in self._stack.disks:
            disk = MountedDisk(member, data, self._supervisor, self._logs / f"{Disk(member).name}.log")
            self._disks[member] = disk
            await disk.mount()

    def _process_of(self, member: Member, command: Command, ready: Ready) -> MemberProcess:
        log = self._logs / f"{member.name}.log"
        tell = self._moments.of(member)
        started = MemberProcess(member, self._addresses[member], command, ready, log, self._supervisor, tell)
        self._started[member] = started
        return started

    async def _start_proxy(self) -> None:
        """Start a fault proxy and open every link on it."""
        address = Address(HOST, free_port())
        # Counting costs the built-in one nothing that could be measured: 0.013 CPU s per 1,000 requests either way.
        argv = [*self._proxy_program.argv, "-host", address.host, "-port", str(address.port), "-proxy-metrics"]
        log = self._logs / "fault-proxy.log"
        self._proxy_child = self._supervisor.spawn("fault proxy", argv, log=log, cwd=ROOT)
        ready = partial(http_ok, address, "/version")
        await wait_ready(self._proxy_child, ready, address.url, listens_at=address.port)
        self._proxy = FaultProxy(address)
        for link in self._stack.links:
            ports = self._peer_addresses if of_peers(link) else self._addresses
            upstream, listen = str(ports[link.callee]), str(self._link_addresses[link])
            try:
                self._links[link] = await self._proxy.create(link.name, upstream, listen)
                await add_base_latency(self._links[link], link.distance_ms)
            except ProxyError as error:
                raise (PortTaken if "in use" in str(error) else StartError)(f"link {link.name}: {error}") from error

    def _url(self, link: Link) -> str:
        """What the caller is told: the proxy's address, in the form that the callee's kind is called by."""
        return backing.called(link.callee, self._link_addresses[link], self._credentials)
