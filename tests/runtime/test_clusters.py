"""Servers that form a cluster are told of one another by the addresses of the links to them."""

from __future__ import annotations

import pytest

from lab.errors import StartError
from lab.model import Backing, Link, Peers, Service
from lab.model.bench import Address
from lab.runtime.clusters import followed, of_peers, settings_of_members

pytestmark = pytest.mark.e2e

ONE, TWO, ALONE = (Backing("etcd", name) for name in ("etcd-1", "etcd-2", "etcd-3"))
CLIENT = Service("client")
LINKS = [Link(CLIENT, ONE), Link(Peers(), ONE), Link(Peers(), TWO), Link(Peers("others"), ALONE)]


def listen(server: Backing) -> Address:
    """Each at a port of its own."""
    return Address("127.0.0.1", 100 + [ONE, TWO, ALONE].index(server))


def at(link: Link) -> Address:
    """Where its proxy is."""
    return Address("127.0.0.1", 200 + LINKS.index(link))


def test_members_are_told_of_all_and_reached_through_links() -> None:
    """Links from the same peers make a cluster; each member listens behind its link and announces the link."""
    told = settings_of_members(LINKS, listen, at)
    assert {server.name: settings["initial_cluster"] for server, settings in told.items()} == {
        "etcd-1": "etcd-1=http://127.0.0.1:201,etcd-2=http://127.0.0.1:202",
        "etcd-2": "etcd-1=http://127.0.0.1:201,etcd-2=http://127.0.0.1:202",
        "etcd-3": "etcd-3=http://127.0.0.1:203",
    }
    assert told[TWO]["listen_peer_urls"] == "http://127.0.0.1:101"
    assert told[TWO]["initial_advertise_peer_urls"] == "http://127.0.0.1:202"
    assert [of_peers(link) for link in LINKS] == [False, True, True, True]


def test_not_every_server_forms_a_cluster() -> None:
    """A kind whose servers do not speak to each other is named."""
    with pytest.raises(StartError, match="redis has no peers: servers of the kind redis form no cluster here"):
        settings_of_members([Link(Peers(), Backing("redis"))], listen, lambda link: listen(ONE))


def test_a_link_between_two_servers_makes_a_standby() -> None:
    """Known by its caller; a kind that has no standbys is named."""
    primary, standby = Backing("postgres", "primary"), Backing("postgres", "standby")
    replicate = Link(standby, primary)
    assert followed([*LINKS, replicate]) == {standby: replicate}
    with pytest.raises(StartError, match="redis-2 cannot be a standby: the lab runs none of the kind redis"):
        followed([Link(Backing("redis", "redis-2"), Backing("redis"))])
