"""
Outbox: items in PostgreSQL, each with an event in PostgreSQL's log.

    client -> outbox -> (to_postgres) -> postgres
"""

from random import Random

from lab import Backing, Invariant, Link, Load, Operation, Panel, Readback, Request, Service, checkers

outbox, postgres = Service("outbox"), Backing("postgres")
to_postgres = Link(outbox, postgres)
WRITE, READ = "POST /items", "GET /items/count"
in_database = Readback("items", outbox, "/items")


def item(rng: Random, n: int) -> Request:
    """An item with an id of its own, so that it can be found again."""
    return Request("POST", "/items", {"id": f"item-{n}"}, key=f"item-{n}")


def count(rng: Random, n: int) -> Request:
    """How many items there are."""
    return Request("GET", "/items/count")


def items_and_reads(per_s: float, *, played_in: str) -> Load:
    """Half of `per_s` are items, half are reads. In the end each acknowledged item must be there, and none refused.

    In `played_in` 20 items are acknowledged at least.
    """
    kept = checkers.recovered(in_database, operation=WRITE, played_in=played_in, least=20)
    there = Invariant("what was acknowledged is there", kept)
    mix = [Operation(WRITE, item), Operation(READ, count)]
    return Load(mix, outbox, per_s, "poisson", readbacks=[in_database], invariants=[there])


class Panels:
    """What shows this system."""

    answered = Panel(
        "Items and reads that succeed",
        'sum by (http_route) (rate(http_server_request_duration_seconds_count{http_response_status_code=~"2.."}[3s]))',
        unit="reqps",
        legend="{{http_route}}",
        live=True,
    )
    # A disk that is not full has this machine's room: too much for the same chart.
    room = Panel("Room that the disk has left", "disk_free_bytes < 1e9", unit="bytes", legend="{{service}}", live=True)
    refusing = Panel(
        "Items refused for want of room", "max(watermark_refusing)", legend="outbox", values={0: "no", 1: "yes"}
    )
