"""
Raft: five servers keep a replicated map; the client finds the leader, has a session, and may retry.

    client -> raft-1 ... raft-5, each of which calls the four others

How far apart the servers are is the experiment's to say: `between(distance_ms)`.
"""

from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import Any

from lab import Backing, Invariant, Link, Load, Panel, Readback, Role, Service, checkers, workloads
from scenarios.systems import disk

NAMES = [f"raft-{n}" for n in range(1, 6)]
CLUSTER = {"RAFT_PEERS": ",".join(NAMES)}
# Each server waits 0.6 s to 1.2 s for its leader, which speaks every 0.1 s. No snapshots: the checkers read whole logs.
TIMING = {"RAFT_HEARTBEAT_MS": 100, "RAFT_ELECTION_LOW_MS": 600, "RAFT_ELECTION_HIGH_MS": 1_200}
servers = [Service(name, {**CLUSTER, **TIMING, "RAFT_SNAPSHOT_EVERY": 100_000}, module="raft") for name in NAMES]
client = Service("client", CLUSTER, module="raft")
to_servers = [Link(client, server) for server in servers]
leader = Role("leader", servers, gauge="raft_is_leader")


def between(distance_ms: int) -> list[Link]:
    """Links from each server to each other one."""
    return [Link(one, other, distance_ms) for one, other in permutations(servers, 2)]


def registers(
    per_s: float,
    keys: int,
    *,
    read: float = 1,
    write: float = 1,
    cas: float = 0,
    timeout_s: float = 8,
    played_in: str = "",
    stale_in: Sequence[str] = (),
    forgets_in: Sequence[str] = (),
    durable: Sequence[str] = (),
    terms: int = 1,
    entries: int = 1,
) -> Load:
    """
    Poisson arrivals of reads, writes and compare-and-sets, with the guarantees of figure 3 of the Raft paper.

    The client gives up by itself before `timeout_s`. In the variants `stale_in` reads must break linearizability, in
    `forgets_in` acknowledged writes must be lost too; what only servers that remember can tell is asked of `durable`,
    or of all. `played_in` names phases of which each has 10 operations and acknowledged writes at least; `terms` with a
    leader and committed `entries` must have been seen.
    """
    logs = [Readback(server.name, server, "/log") for server in servers]
    seen: dict[str, Any] = {"played_in": played_in, "least": 10} if played_in else {}
    return Load(
        workloads.registers(keys, read=read, write=write, cas=cas),
        client,
        per_s,
        "poisson",
        timeout_s=timeout_s,
        readbacks=logs,
        invariants=[
            Invariant(
                "every key is linearizable",
                checkers.linearizable(**seen),
                broken_in=[*stale_in, *forgets_in],
            ),
            Invariant(
                "at most one leader a term",
                checkers.one_leader_a_term(logs, **({"least": terms} if terms > 1 else {})),
                variants=durable,
            ),
            Invariant(
                "logs match",
                checkers.log_matching(logs, **({"least": entries} if entries > 1 else {})),
                variants=durable,
            ),
            Invariant(
                "acknowledged writes persist, refused writes never apply",
                checkers.acknowledged_stay(logs, **seen),
                broken_in=forgets_in,
            ),
        ],
    )


# Gives an attempt up after 0.4 s, and the request after 10 s: longer than it takes five servers to start and elect.
PATIENT: Mapping[Service | Backing, Mapping[str, float]] = {client: {"RAFT_TRY_S": 0.4, "RAFT_CLIENT_TIMEOUT_S": 10}}


def outliving(
    deaths: int, played_in: Sequence[str], forgets_in: Sequence[str] = (), durable: Sequence[str] = ()
) -> Load:
    """Registers of patient clients while all servers die `deaths` times, each of which is followed by a new term."""
    return registers(
        per_s=15,
        keys=3,
        read=4,
        write=4,
        cas=2,
        timeout_s=13,
        played_in=", ".join(played_in),
        # What members have forgotten they cannot tell: there a term may well have had two leaders.
        forgets_in=forgets_in,
        durable=durable,
        terms=1 + deaths,
        entries=50,
    )


class Panels:
    """What shows this system."""

    leads = Panel(
        "Who leads", "max by (service) (raft_is_leader)", legend="{{service}}", values={0: "follows", 1: "leads"}
    )
    term = Panel("Term", "max by (service) (raft_term)", legend="{{service}}")
    committed = Panel("Committed", "max by (service) (raft_commit_index)", legend="{{service}}")
    applied = Panel("Applied", "max by (service) (raft_last_applied)", legend="{{service}}")
    unsynced = disk.unsynced
    waiting = Panel("Waiting clients", 'sum(http_server_active_requests{service="client"})', legend="requests")
