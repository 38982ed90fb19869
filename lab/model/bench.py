"""What a fault may do to the running system: the one door between `lab.faults` and the runtimes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from lab.model.parts import Link, Member

Stream = Literal["upstream", "downstream"]
ProcessState = Literal["running", "paused", "gone"]


@dataclass(frozen=True)
class Address:
    """A TCP address that the lab itself can connect to."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """As an HTTP base URL, without a slash at the end."""
        return f"http://{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Toxic:
    """A toxic of Toxiproxy: integer attributes, a stream (`downstream` is callee to caller), toxicity 0..1."""

    name: str
    type: str
    stream: Stream = "downstream"
    toxicity: float = 1.0
    attributes: Mapping[str, int] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Moment:
    """What the lab itself saw happen, exactly: seconds since the epoch, to which member or link, in a few words."""

    at_epoch_s: float
    source: str
    text: str


class LinkControl(Protocol):
    """One link's proxy. Every change is read back; anything but the state asked for raises ProxyError."""

    async def add(self, toxic: Toxic) -> Toxic:
        """Add a toxic and give it back as the proxy now reports it."""
        ...

    async def update(self, toxic: Toxic) -> Toxic:
        """Change attributes or toxicity of a toxic that is there, and give it back as reported."""
        ...

    async def remove(self, name: str) -> None:
        """Remove a toxic; one that is not there is no error, since undoing must always work."""
        ...

    async def set_enabled(self, enabled: bool) -> None:
        """Refuse connections and close those open (False), or listen again (True)."""
        ...

    async def toxics(self) -> Sequence[Toxic]:
        """The toxics now on the link."""
        ...


class ProcessControl(Protocol):
    """The process (or container) of one service or backing server."""

    async def kill(self) -> None:
        """Kill at once (SIGKILL); returns when it is gone."""
        ...

    async def pause(self) -> None:
        """Stop it in its tracks (SIGSTOP); it keeps its sockets."""
        ...

    async def resume(self) -> None:
        """Let it go on (SIGCONT)."""
        ...

    async def restart(self, *, excused: bool = False) -> None:
        """Start it again with the same environment, port and data, and wait until it is ready.

        `excused`: where it has exited by itself, a fault was the cause, and that is no death to report.
        """
        ...

    async def state(self) -> ProcessState:
        """What the operating system says of it."""
        ...


class DiskControl(Protocol):
    """The disk of the lab's own under one member's data (lab.disk), which are in `folder`."""

    @property
    def folder(self) -> Path:
        """Where it is mounted."""
        ...

    async def state(self) -> Mapping[str, str | int | float | bool]:
        """What it has counted since it was mounted, and what is wrong with it."""
        ...

    async def cut(self, keeps: str, seed: int) -> Mapping[str, str | int | float | bool]:
        """Undo what was not synced, but for what `keeps` says; gives what was undone. The member must be dead."""
        ...

    async def trouble(
        self, what: Mapping[str, str | int | float | bool | None]
    ) -> Mapping[str, str | int | float | bool]:
        """Make it slow, full or failing, or healthy again; gives the state after."""
        ...


class Bench(Protocol):
    """What a fault may do."""

    def members(self) -> Collection[Member]:
        """The services and backing servers that are there."""
        ...

    def link(self, link: Link) -> LinkControl:
        """The proxy of a link."""
        ...

    def process(self, member: Member) -> ProcessControl:
        """The process of a service or backing server."""
        ...

    def disk(self, member: Member) -> DiskControl:
        """The disk under a member's data, of those that faults name in `disks`."""
        ...

    def address(self, member: Member) -> Address:
        """Where a member listens, with no proxy between."""
        ...

    def moment(self, source: str, text: str) -> None:
        """Keep an event of the run that happens now to a member or link: `moment(standby.name, "promoted")`.

        It is in the record and on every chart. Targets tell theirs themselves, by `service.log.moment("...")`.
        """
        ...

    def journal(self, what: str, **facts: str | int | float | bool) -> AbstractContextManager[None]:
        """Write down a fault before it goes in (on disk, synced), and on exit that it is out again."""
        ...
