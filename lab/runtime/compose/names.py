"""What a run's things are called in the engine: hosts, projects, labels. Pure."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from lab.model import Member, Service

LABEL_RUN = "chaos-lab.run"
LABEL_OWNER = "chaos-lab.owner"  # the lab that answers for it: machine, process id, start of that process
LABEL_SOURCES = "chaos-lab.sources"  # of an image: what it was built from
TARGET_PORT = 8080  # where each target listens in its container
LONGEST = 63  # characters between two dots of a name


@dataclass(frozen=True)
class Proxy:
    """A link's proxy in the Toxiproxy that all runs share; what LABEL_OWNER is of a container, `owner` is of it."""

    run: str
    link: str
    owner: str = ""

    def __str__(self) -> str:
        """As Toxiproxy has it, and as dashboards/prometheus.yml takes it apart: `<run>:<link> of <owner>`."""
        return f"{self.run}:{self.link} of {self.owner}"

    @classmethod
    def read(cls, name: str) -> Proxy | None:
        """The proxy of that name; None where no lab gives such names."""
        found = re.fullmatch(r"([^: ]+):([^: ]+->[^: ]+) of (.*)", name)
        return cls(*found.groups()) if found else None


def host(run: str, stack: str, member: str) -> str:
    """A member's name in the shared network, and its container's: no other run, and no other stack of it, has it.

    It has no dot, so that whoever looks it up when its container is gone hears that at once; see docker-compose.yml.
    """
    name = "-".join(_plain(word) for word in (member, stack, run))
    if len(name) <= LONGEST:
        return name
    mark = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: LONGEST - 9]}-{mark}"


def project(run: str, stack: str) -> str:
    """The Compose project of one stack."""
    return f"chaos-lab-{_plain(run)}-{_plain(stack)}".replace(".", "-")


def task(member: str) -> str:
    """A member's service in a stack of a Swarm; the Swarm puts the project before it."""
    return _plain(member)


def service_of(member: Member) -> str:
    """The service of docker-compose.yml that a member is one of: the target's name, or the server's kind."""
    return member.target.replace("_", "-") if isinstance(member, Service) else member.kind


def _plain(word: str) -> str:
    return re.sub(r"[^a-z0-9-]+", "-", word.lower())
