"""Servers that form a cluster: what each member is told of the others, with a link's proxy before each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from lab.errors import StartError
from lab.model import Backing, Env, Link, Peers
from lab.runtime import backing
from lab.runtime.base import Address


def of_peers(link: Link) -> bool:
    """Whether a link leads to a member of a cluster from the others."""
    return isinstance(link.caller, Peers)


def followed(links: Iterable[Link]) -> dict[Backing, Link]:
    """The link over which each standby follows its primary. Raises StartError for a kind that has no standbys here."""
    found = {link.caller: link for link in links if isinstance(link.caller, Backing)}
    for standby in found:
        if backing.kind_of(standby.kind).follows is None:
            raise StartError(f"{standby.name} cannot be a standby: the lab runs none of the kind {standby.kind}")
    return found


def settings_of_members(
    links: Iterable[Link], listen: Callable[[Backing], Address], at: Callable[[Link], Address]
) -> dict[Backing, Env]:
    """The settings that make a cluster of those whom links from the same `Peers` lead to.

    A member listens for the others at `listen`, and they call it by its link, `at` that address. Raises StartError for
    a kind whose servers do not speak to one another.
    """
    clusters: dict[Peers, dict[Backing, Address]] = {}
    for link in links:
        if isinstance(link.caller, Peers) and isinstance(link.callee, Backing):
            clusters.setdefault(link.caller, {})[link.callee] = at(link)
    found: dict[Backing, Env] = {}
    for members in clusters.values():
        reached = {server.name: address for server, address in members.items()}
        for server in members:
            join = backing.kind_of(server.kind).join
            if join is None:
                raise StartError(f"{server.name} has no peers: servers of the kind {server.kind} form no cluster here")
            found[server] = join(backing.Cluster(server.name, listen(server), reached))
    return found
