"""The protocol that every runtime speaks; the engine knows no other door to processes and containers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from lab.model import Backing, Env, Link, Member
from lab.model.bench import Address as Address
from lab.model.bench import Bench, Moment


@dataclass(frozen=True)
class Stack:
    """What one variant needs: members (callees first), links, and the whole environment of each member.

    `label` (`1-off`) tells it from the run's other stacks. The data of `disks` are on a disk that forgets (lab.disk).
    """

    members: Sequence[Member]
    links: Sequence[Link]
    env: Mapping[Member, Env] = field(default_factory=dict, hash=False)
    label: str = "stack"
    disks: Sequence[Member] = ()


@dataclass(frozen=True)
class Spy:
    """A way for py-spy to look at one process.

    The command `argv(options, output)`, with `env` in its environment, records it until SIGINT, then writes `output`.
    """

    name: str
    argv: Callable[[Sequence[str], Path], Sequence[str | Path]]
    env: Mapping[str, str] = field(default_factory=dict, hash=False)


class Running(Bench, Protocol):
    """A stack that is up. It is also the bench that faults work at."""

    def link_address(self, link: Link) -> Address:
        """Where the link's proxy listens."""
        ...

    def url(self, target: Member | Link) -> str:
        """As a caller on this machine is told a member, or the link to it, with what lets it in."""
        ...

    def statistics_url(self, server: Backing) -> str:
        """As the lab itself logs in to read a server's counters: where its kind can, as a user that reads no data."""
        ...

    def pids(self, member: Member) -> Sequence[int]:
        """Process ids of a member, as the lab's machine sees them; empty where it is gone."""
        ...

    def spies(self, member: Member) -> Sequence[Spy]:
        """One for each Python process of a service that can be profiled; empty where it is gone."""
        ...

    @property
    def proxy_url(self) -> str | None:
        """Where a fault proxy of this stack alone has its metrics; None where runs share one, or it has no links."""
        ...

    @property
    def disk_urls(self) -> Mapping[str, str]:
        """Where each disk of the lab's own has its metrics, by the name that they are to have for `service`."""
        ...

    def deaths(self) -> Sequence[str]:
        """Members that ended though nobody asked them to, a sentence each with their last log lines."""
        ...

    @property
    def moments(self) -> Sequence[Moment]:
        """What the lab itself saw happen to its members and links, by `moment`, in order of time."""
        ...

    async def stop(self) -> None:
        """Stop everything of this stack: politely, then surely. Never raises for what is already gone."""
        ...


class Runtime(Protocol):
    """A way to run stacks."""

    name: str
    left: list[str]  # what stopping stacks has left behind, a sentence for each thing, with what to do about it

    async def start(self, stack: Stack, logs: Path) -> Running:
        """Start a stack fresh, wire each link through the proxy, wait until all are ready.

        Logs go to `logs/<member>.log`. Raises StartError with the last log lines of what did not come up, having
        stopped the rest.
        """
        ...

    def versions(self) -> Mapping[str, str]:
        """Version of each part it runs: the fault proxy, the backing servers."""
        ...

    @property
    def proxy(self) -> str:
        """Which fault proxy stands in the links, with its version, in a few words."""
        ...

    async def close(self) -> None:
        """Stop whatever it keeps between stacks."""
        ...


class Child(Protocol):
    """A process that the lab started and will end."""

    name: str
    pid: int
    log: Path

    @property
    def returncode(self) -> int | None:
        """Exit code, minus the signal's number where it was killed, None while it runs."""
        ...

    async def wait(self) -> int:
        """Wait for its end; gives the return code."""
        ...

    async def stop(self, grace_s: float = 5.0) -> int:
        """SIGTERM, then SIGKILL to its whole group after `grace_s`; returns when it is gone."""
        ...

    def tail(self, lines: int = 20) -> str:
        """The end of its log."""
        ...


class Spawn(Protocol):
    """`Supervisor.spawn`: how rooms that need a process get one, so that it ends with the run."""

    def __call__(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        log: Path,
        cwd: Path | None = None,
    ) -> Child:
        """Start a program; output is appended to `log`, `env` is added to a small clean environment."""
        ...
