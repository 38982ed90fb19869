"""
Nodes that answer by themselves and gossip, or in their place the members of our Raft; clients are bound to a node.

    clients of each node -> kv-1 ... kv-5, each of which calls the others
"""

from collections.abc import Sequence
from itertools import permutations
from random import Random

from lab import Invariant, Link, Load, Operation, Panel, Readback, Request, Service, checkers

KEYS = 4  # no multiple of the nodes, so that each key is asked of each node


def nodes_of(count: int) -> list[Service]:
    """So many nodes of one store."""
    names = [f"kv-{n}" for n in range(1, count + 1)]
    return [Service(name, {"KV_PEERS": ",".join(names)}, module="kv") for name in names]


def between(nodes: Sequence[Service], distance_ms: int) -> list[Link]:
    """Links from each node to each other one."""
    return [Link(one, other, distance_ms) for one, other in permutations(nodes, 2)]


def _read(rng: Random, n: int) -> Request:
    return Request("GET", f"/kv/k{n % KEYS}", key=f"k{n % KEYS}", keep_response=True)


def _write(rng: Random, n: int) -> Request:
    key = f"k{n % KEYS}"
    return Request("PUT", f"/kv/{key}", {"value": str(n)}, key=key, value=str(n), keep_response=True)


def registers(nodes: Sequence[Service], per_s: float, *, stale_in: Sequence[str], equal_in: Sequence[str]) -> Load:
    """Poisson arrivals, as many reads as writes, a client at each node; all clients together make one history.

    In the variants `stale_in` that history must have no order; in `equal_in` replicas must be equal in the end.
    """
    states = [Readback(node.name, node, "/kv") for node in nodes]
    own = checkers.bounded_staleness(within_s=0, read="read", write="write", clients=len(nodes), least=100)
    return Load(
        [Operation("read", _read), Operation("write", _write)],
        nodes,
        per_s,
        "poisson",
        timeout_s=5,
        readbacks=states,
        invariants=[
            Invariant("every key is linearizable", checkers.linearizable(least=100), broken_in=stale_in),
            Invariant("a client reads its own writes", own),
            Invariant("replicas are equal after healing", checkers.converged(states, least=KEYS), variants=equal_in),
        ],
    )


SETS, COUNTERS = 8, 2  # no multiple of three nodes either


def _add(rng: Random, n: int) -> Request:
    member = f"s{n % SETS}/e{n}"
    return Request("PUT", f"/sets/{member}", key=member)


def _remove(rng: Random, n: int) -> Request:
    """What the arrival 80 before added to the same set at another node, if it did: 2 s before at 40/s."""
    member = f"s{n % SETS}/e{max(n - 80, n % SETS)}"
    return Request("DELETE", f"/sets/{member}", key=member, keep_response=True)


def _count(rng: Random, n: int) -> Request:
    return Request("POST", f"/counters/c{n % COUNTERS}", {"by": 1}, key=f"c{n % COUNTERS}", value="1")


def sets_and_counters(
    nodes: Sequence[Service], per_s: float, *, loses_in: Sequence[str], apart_in: Sequence[str]
) -> Load:
    """Poisson arrivals of adds, removes and counts, a client at each node.

    In the variants `loses_in` something acknowledged must be lost, in `apart_in` replicas must differ in the end.
    """
    states = [Readback(node.name, node, "/kv") for node in nodes]
    return Load(
        [Operation("add", _add, 6), Operation("remove", _remove, 1), Operation("count", _count, 3)],
        nodes,
        per_s,
        "poisson",
        timeout_s=5,
        readbacks=states,
        invariants=[
            Invariant("nothing acknowledged is lost", checkers.no_add_lost(states, least=100), broken_in=loses_in),
            Invariant("replicas are equal after healing", checkers.converged(states, least=4), broken_in=apart_in),
        ],
    )


class Panels:
    """What shows these systems."""

    calls = Panel(
        "Calls between nodes",
        "sum by (service) (rate(http_client_request_duration_seconds_count[5s]))",
        unit="reqps",
        legend="from {{service}}",
    )
    waiting = Panel("Waiting clients", "sum by (service) (http_server_active_requests)", legend="{{service}}")
    size = Panel("Size of the state", "max by (service) (kv_state_bytes)", unit="bytes", legend="{{service}}")
    leads = Panel(
        "Who leads", "max by (service) (raft_is_leader)", legend="{{service}}", values={0: "follows", 1: "leads"}
    )
