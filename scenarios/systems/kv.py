"""
The key-value store: nodes that each hold a replica and coordinate what their own clients ask.

    clients -> kv-1, kv-2, kv-3, each of which calls the two others
"""

from collections.abc import Sequence
from itertools import permutations
from random import Random

from lab import Invariant, Link, Load, Operation, Panel, Request, Service, checkers

nodes = [Service(f"kv-{n}", {"KV_PEERS": "kv-1,kv-2,kv-3"}, module="kv") for n in (1, 2, 3)]
between = [Link(one, other) for one, other in permutations(nodes, 2)]
KEYS = 4  # no multiple of the nodes, so that each key is asked of each node


def _read(rng: Random, n: int) -> Request:
    return Request("GET", f"/kv/k{n % KEYS}", key=f"k{n % KEYS}", keep_response=True)


def _write(key: str, n: int) -> Request:
    return Request("PUT", f"/kv/{key}", {"value": str(n)}, key=key, value=str(n), keep_response=True)


def _write_apart(rng: Random, n: int) -> Request:
    """Clients of kv-1 write the keys that are read, those of the other nodes their own."""
    return _write(f"{'k' if n % len(nodes) == 0 else 'm'}{n % KEYS}", n)


def clients_of_each_node(
    per_s: float,
    *,
    writes_in: Sequence[str],
    apart_in: str,
    not_regular: Sequence[str],
    not_linearizable: Sequence[str],
) -> Load:
    """
    Poisson arrivals, a third at each node: as many reads as writes in the phases `writes_in`, reads alone elsewhere.

    In `apart_in` only clients of kv-1 write the keys that are read. The variants `not_regular` and `not_linearizable`
    must break that.
    """
    return Load(
        [
            Operation("read", _read),
            Operation("write", lambda rng, n: _write(f"k{n % KEYS}", n), phases=writes_in),
            Operation("write apart", _write_apart, phases=[apart_in]),
        ],
        nodes,
        per_s,
        "poisson",
        timeout_s=5,
        invariants=[
            Invariant("every key is a regular register", checkers.regular_register(least=100), broken_in=not_regular),
            Invariant("every key is linearizable", checkers.linearizable(least=100), broken_in=not_linearizable),
        ],
    )


class Panels:
    """What shows this system."""

    waiting = Panel("Waiting clients", "sum by (service) (http_server_active_requests)", legend="{{service}}")
    calls = Panel(
        "Calls between nodes",
        "sum by (peer) (rate(http_client_request_duration_seconds_count[5s]))",
        unit="reqps",
        legend="to {{peer}}",
    )
    repairs = Panel("Reads that repair", "rate(kv_repairs_total[5s])", unit="reqps", legend="{{service}}")
