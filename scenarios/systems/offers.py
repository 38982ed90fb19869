"""
Offers: what sellers ask for, kept in Redis, and in PostgreSQL where they are to outlive it.

    client -> offers -> redis
                     -> postgres
"""

from collections.abc import Sequence
from random import Random
from typing import Literal

from lab import Backing, Invariant, Link, Load, Operation, Panel, Readback, Request, Service, checkers
from scenarios.systems import disk

offers = Service("offers")
redis, postgres = Backing("redis"), Backing("postgres")
to_redis, to_postgres = Link(offers, redis), Link(offers, postgres)
PUT = "PUT /offers"


def offer(rng: Random, n: int) -> Request:
    """An offer with an id of its own, so that it can be found again."""
    return Request("PUT", f"/offers/offer-{n}", {"cents": rng.randrange(100, 100_000)}, key=f"offer-{n}")


in_redis = Readback("in Redis", offers, "/offers/in-redis")
in_database = Readback("in the database", offers, "/offers/in-database")


def recovered(kept: Readback, loses: Sequence[str], keeps: Sequence[str], played_in: str) -> Invariant:
    """Each acknowledged offer is `kept` in the variants `keeps`, and not in those in `loses`."""
    return Invariant(
        f"what was acknowledged is there ({kept.name})",
        checkers.recovered(kept, played_in=played_in, least=20),
        variants=[*loses, *keeps],
        broken_in=loses,
    )


def new_offers(
    per_s: float,
    kept: Readback,
    arrivals: Literal["uniform", "poisson"] = "uniform",
    *,
    loses: Sequence[str],
    keeps: Sequence[str],
    played_in: str,
) -> Load:
    """Offers, each acknowledged one of which must be `kept` in the variants `keeps`, and not in those in `loses`.

    `played_in` names phases in which 20 have been acknowledged at least: those whose offers a fault could take.
    """
    there = Invariant(
        "what was acknowledged is there",
        checkers.recovered(kept, played_in=played_in, least=20),
        variants=[*loses, *keeps],
        broken_in=loses,
    )
    return Load(Operation(PUT, offer), offers, per_s, arrivals, readbacks=[kept], invariants=[there])


class Panels:
    """What shows this system."""

    acknowledged = Panel(
        "Offers acknowledged and written",
        # rate() drops a metric's name, and `or` takes what is named alike for the same.
        'label_replace(rate(offers_acknowledged_total[3s]), "what", "acknowledged", "", "")'
        ' or label_replace(rate(offers_written_total[3s]), "what", "written", "", "")',
        unit="reqps",
        legend="{{what}}",
        live=True,
    )
    answered = Panel(
        "Offers acknowledged", "rate(offers_acknowledged_total[3s])", unit="reqps", legend="offers", live=True
    )
    syncs = Panel("Syncs of the disks", "rate(disk_fsyncs_total[3s])", unit="ops", legend="{{service}}", live=True)
    unsynced = disk.unsynced
    waiting = Panel("Offers that only the process has", "max(offers_waiting)", legend="offers")
