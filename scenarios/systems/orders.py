"""
Orders: rows in a PostgreSQL whose standbys follow it over links of their own.

    client -> orders -> primary, standby-a, standby-b
    standby-a -> primary
    standby-b -> primary
"""

from collections.abc import Sequence
from random import Random
from typing import Any, Literal

from lab import Backing, Invariant, Link, Load, Operation, Panel, Readback, Request, Service, checkers, metrics

orders = Service("orders")
primary = Backing("postgres", "primary")
standby_a, standby_b = Backing("postgres", "standby-a"), Backing("postgres", "standby-b")
to_primary, to_a, to_b = (Link(orders, server) for server in (primary, standby_a, standby_b))
replicate_a, replicate_b = Link(standby_a, primary), Link(standby_b, primary)
links = [to_primary, to_a, to_b, replicate_a, replicate_b]
WRITE, OWN, OTHERS = "PUT /orders", "GET /orders", "BROWSE /orders"
SESSIONS = 10
Arrivals = Literal["uniform", "poisson"]


def order(rng: Random, n: int) -> Request:
    """An order with an id of its own, so that it can be found again."""
    return Request("PUT", f"/orders/order-{n}", {"version": n}, key=f"order-{n}")


def own_write(rng: Random, n: int) -> Request:
    """The session's own order gets the arrival's number as its version."""
    name = f"session-{n % SESSIONS}"
    return Request("PUT", f"/orders/{name}", {"version": n}, {"Session": name}, key=name, value=str(n))


def own_read(rng: Random, n: int) -> Request:
    """The session reads its own order."""
    name = f"session-{n % SESSIONS}"
    return Request("GET", f"/orders/{name}", headers={"Session": name}, key=name, keep_response=True)


def others_read(rng: Random, n: int) -> Request:
    """The session reads the order of another; no checker looks at it."""
    headers = {"Session": f"session-{n % SESSIONS}"}
    return Request("GET", f"/orders/session-{(n + rng.randrange(1, SESSIONS)) % SESSIONS}", headers=headers)


on_the_primary = Readback("on the primary", orders, "/orders/keys")


def new_orders(per_s: float, arrivals: Arrivals = "uniform", *, loses: Sequence[str], played_in: str) -> Load:
    """Orders, each acknowledged one to be on the server that is the primary at the end, but in the variants `loses`."""
    there = Invariant(
        "what was acknowledged is on the new primary",
        checkers.recovered(on_the_primary, played_in=played_in, least=20),
        broken_in=loses,
    )
    mix = Operation(WRITE, order)
    return Load(mix, orders, per_s, arrivals, readbacks=[on_the_primary], invariants=[there])


def sessions(per_s: float, arrivals: Arrivals = "uniform", *, broken_in: Sequence[str], played_in: str) -> Load:
    """Of six operations of a session one writes its order, three read it, and two read another's.

    An open model: a session does not wait for its answers, so the checker takes what had ended before. Its guarantees
    must be broken in the variants named.
    """
    mix = [
        Operation(WRITE, own_write, weight=1),
        Operation(OWN, own_read, weight=3),
        Operation(OTHERS, others_read, weight=2),
    ]
    words: dict[str, Any] = {"read": "get", "write": "put", "at": "version", "played_in": played_in, "least": 20}
    invariants = [
        Invariant("a session reads its own writes", checkers.session("read-your-writes", **words), broken_in=broken_in),
        Invariant("a session never reads backwards", checkers.session("monotonic-reads", **words), broken_in=broken_in),
    ]
    return Load(mix, orders, per_s, arrivals, invariants=invariants)


stale = metrics.stale_reads("get", "put", at="version")


class Panels:
    """What shows this system."""

    behind = Panel(
        "WAL that a server has not replayed",
        "max by (server) (orders_behind_bytes)",
        unit="bytes",
        legend="{{server}}",
        live=True,
    )
    writes_to = Panel(
        "Where writes go",
        "max by (server) (orders_writes_to)",
        legend="{{server}}",
        values={0: "not here", 1: "here"},
    )
    reads = Panel(
        "Reads by server", "sum by (server) (rate(orders_reads_total[3s]))", unit="reqps", legend="{{server}}"
    )
    in_flight = Panel(
        "Writes in flight", 'sum(http_server_active_requests{http_request_method="PUT"})', legend="writes"
    )
