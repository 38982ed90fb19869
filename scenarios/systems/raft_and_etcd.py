"""
Our Raft and etcd, three members each, behind one client that speaks to whichever cluster is there, and retries.

    client -> raft-1, raft-2, raft-3, each of which calls the two others
    client -> etcd-1, etcd-2, etcd-3, each called by its peers
"""

from collections.abc import Sequence
from itertools import permutations

from lab import Backing, Invariant, Link, Load, Panel, Peers, Role, Service, checkers, workloads
from scenarios.systems import disk

ours = [Service(f"raft-{n}", {"RAFT_PEERS": "raft-1,raft-2,raft-3"}, module="raft") for n in (1, 2, 3)]
etcd = [Backing("etcd", f"etcd-{n}") for n in (1, 2, 3)]
client = Service("client", module="kv_client")
leader = Role("leader", [*ours, *etcd], gauge=["raft_is_leader", "etcd_server_is_leader"])
members = [Role(f"member {n}", pair) for n, pair in enumerate(zip(ours, etcd, strict=True), 1)]  # of either cluster
# A leader speaks every 0.1 s. Asked for 0.6 s, etcd draws 6 to 11 ticks of 0.1 s, of which the first may be nearly
# over: 0.5 s to 1.1 s. Ours draws from there.
TIMING: dict[Service | Backing, dict[str, int | bool]] = {
    **{one: {"RAFT_HEARTBEAT_MS": 100, "RAFT_ELECTION_LOW_MS": 500, "RAFT_ELECTION_HIGH_MS": 1_100} for one in ours},
    **{one: {"HEARTBEAT_INTERVAL": 100, "ELECTION_TIMEOUT": 600, "PRE_VOTE": True} for one in etcd},
}


def links(distance_ms: int) -> list[Link]:
    """The members of each cluster so far apart, the client beside all of them."""
    return [
        *(Link(one, other, distance_ms) for one, other in permutations(ours, 2)),
        *(Link(Peers(), member, distance_ms) for member in etcd),
        *(Link(client, member) for member in ours),
        *(Link(client, member) for member in etcd),
    ]


def registers(
    per_s: float,
    keys: int,
    *,
    read: float,
    write: float,
    cas: float,
    timeout_s: float,
    played_in: str,
    forgets_in: Sequence[str] = (),
) -> Load:
    """Poisson arrivals of reads, writes and compare-and-sets; each phase of `played_in` has 20 operations at least.

    The client gives up by itself before `timeout_s`. In the variants `forgets_in` acknowledged writes must be lost.
    """
    linearizable = checkers.linearizable(played_in=played_in, least=20)
    return Load(
        workloads.registers(keys, read=read, write=write, cas=cas),
        client,
        per_s,
        "poisson",
        timeout_s=timeout_s,
        invariants=[Invariant("every key is linearizable", linearizable, broken_in=forgets_in)],
    )


class Panels:
    """What shows this system."""

    leads = Panel(
        "Who leads",
        "max by (service) (raft_is_leader or etcd_server_is_leader)",
        legend="{{service}}",
        values={0: "follows", 1: "leads"},
    )
    committed = Panel(
        "Committed",
        "max by (service) (raft_commit_index or etcd_server_proposals_committed_total)",
        legend="{{service}}",
    )
    unsynced = disk.unsynced
    waiting = Panel("Waiting clients", 'sum(http_server_active_requests{service="client"})', legend="requests")
