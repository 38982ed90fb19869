"""Servers we did not write, one kind a file: each module here offers `KIND` and is found by its name."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab.errors import MissingPart
from lab.model import Backing, Env, Member, Service
from lab.runtime.base import Address
from lab.runtime.credentials import Credentials
from lab.runtime.member_process import Command
from lab.runtime.supervisor import Supervisor
from lab.runtime.tools import Program


@dataclass(frozen=True)
class StartContext:
    """What one server gets: its address, an empty folder of its own, its settings, the programs of its part, passwords.

    `shared` is a folder that all servers of the run share, for what is costly to make twice. `upstream` is where a
    standby reaches its primary.
    """

    name: str
    address: Address
    data: Path
    shared: Path
    settings: Env
    programs: Mapping[str, Program]
    supervisor: Supervisor = field(repr=False)
    credentials: Credentials
    upstream: Address | None = None


@dataclass(frozen=True)
class Cluster:
    """What a member of a cluster is told: its name, where it listens for the others, and where each is reached.

    `members` has all of them, by name: each at one address for whoever calls, a link's proxy where there is one.
    """

    name: str
    listen: Address
    members: Mapping[str, Address]


@dataclass(frozen=True)
class Recipe:
    """How a server's container is told its settings: what follows its entrypoint, and variables beside passwords."""

    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Kind:
    """A kind of server.

    `part` names it in lab.runtime.parts. `prepare` fills the data folder and gives the command, `ready` asks in the
    server's own way whether it can be used (OSError: not yet), `url` is what callers get in `<NAME>_URL` for the
    address they are to connect to, with the password. `statistics_url`, where there is one, is for the lab itself.

    In a container, the service of docker-compose.yml that bears the kind's name, it listens on `port`, and `recipe`
    puts the settings in force; without one only local processes can be had. A kind whose servers form clusters turns
    what each is told of it into settings by `join`; in a container it listens for the others on `peer_port`. `counts`:
    it has `/metrics`, for Prometheus. `follows`: a server of it can be the standby of another, started after that one;
    in a container it is told so by the environment that it gives for its name and the primary's address.
    """

    part: str
    prepare: Callable[[StartContext], Awaitable[Command]]
    ready: Callable[[Address, Credentials], Awaitable[bool]]
    url: Callable[[Address, Credentials], str]
    port: int = 0
    recipe: Callable[[Env], Recipe] | None = None
    join: Callable[[Cluster], Env] | None = None
    peer_port: int = 0
    exposes_metrics: bool = False
    statistics_url: Callable[[Address, Credentials], str] | None = None
    follows: Callable[[str, Address], Mapping[str, str]] | None = None


def exposes_metrics(member: Member) -> bool:
    """Whether a member tells Prometheus what it counts: every service does, and some servers do."""
    return isinstance(member, Service) or kind_of(member.kind).exposes_metrics


def kinds() -> list[str]:
    """The kinds that this runtime can start."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def called(member: Member, address: Address, credentials: Credentials) -> str:
    """As a service is told a member that listens at `address`, with what lets it in."""
    return kind_of(member.kind).url(address, credentials) if isinstance(member, Backing) else address.url


def statistics_called(server: Backing, address: Address, credentials: Credentials) -> str:
    """As the lab itself logs in to read a server's counters."""
    kind = kind_of(server.kind)
    return (kind.statistics_url or kind.url)(address, credentials)


def kind_of(name: str) -> Kind:
    """A kind by name. Raises MissingPart where this runtime has none."""
    if name not in kinds():
        raise MissingPart(f"the local runtime starts {', '.join(kinds())}, but not {name}: use `--runtime compose`")
    found: Kind = importlib.import_module(f"{__name__}.{name}").KIND
    return found
