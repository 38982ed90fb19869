"""What a system is made of: services, servers, the links between them, and roles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from lab.model.typed import Typed

Scalar = str | int | float | bool
Env = Mapping[str, Scalar]


@dataclass(frozen=True)
class Service(Typed):
    """A process of ours: `targets/<module>.py`, reached over HTTP.

    `module` defaults to the name with `-` turned into `_`, so that `Service("raft-1", module="raft")` can
    run one target several times. `env` is what it always gets; variants add to it.
    """

    name: str
    env: Env = field(default_factory=dict, hash=False)
    module: str = ""

    @property
    def target(self) -> str:
        """The module below `targets` that this service runs."""
        return self.module or self.name.replace("-", "_")


BackingKind = Literal["postgres", "redis", "nats", "nginx", "haproxy", "etcd", "mariadb"]


@dataclass(frozen=True)
class Backing(Typed):
    """A server we did not write, started fresh for each variant with `settings` of its own kind.

    `since` is the oldest version that will do ("2.10"), where a setting is not known to older ones.
    """

    kind: BackingKind
    name: str = ""
    settings: Env = field(default_factory=dict, hash=False)
    since: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", self.kind)


Member = Service | Backing


@dataclass(frozen=True)
class Disk(Typed):
    """The disk of the lab's own under a member's data (lab.disk)."""

    member: Member

    @property
    def name(self) -> str:
        """As its metrics have it for `service`, and the canary for what it probes: `postgres-disk`."""
        return f"{self.member.name}-disk"


@dataclass(frozen=True)
class Peers(Typed):
    """A cluster of servers we did not write, as the caller of each of them, which has one address for all others."""

    name: str = "peers"


@dataclass(frozen=True)
class Link(Typed):
    """One caller's way to one callee: a fault proxy of its own, so that this edge can be broken alone.

    The caller finds it in the environment variable `env_name` (`PAYMENTS_URL`). With `distance_ms`, the two are that
    far apart: whatever either sends arrives so much later, always. Links from the same `Peers` make up a cluster. A
    link from one server to another of its kind makes it that one's standby, which replicates over this link alone.
    """

    caller: Service | Backing | Peers
    callee: Member
    distance_ms: int = 0

    @property
    def name(self) -> str:
        """`caller->callee`, as the proxy, the receipts and the report call it."""
        return f"{self.caller.name}->{self.callee.name}"

    @property
    def env_name(self) -> str:
        """The variable that tells the caller where the callee is."""
        return self.callee.name.upper().replace("-", "_") + "_URL"

    @property
    def data_name(self) -> str:
        """The variable that tells the caller in which folder a server's data are, where both are on one machine."""
        return self.env_name.removesuffix("_URL") + "_DATA_DIR"


@dataclass(frozen=True)
class Role(Typed):
    """Whichever of several members plays a part at the moment, such as the leader of a cluster.

    A member says that it does by a gauge of its `/metrics` that stands at 1; members of several kinds may have several.
    Without a gauge it is the one of them that a variant has, where each variant has another.
    """

    name: str
    among: Sequence[Member]
    gauge: str | Sequence[str] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "among", tuple(self.among))

    @property
    def gauges(self) -> tuple[str, ...]:
        """Any of these at 1 says so."""
        return (self.gauge,) if isinstance(self.gauge, str) else tuple(self.gauge)
