"""
Intake: items, each acknowledged once it is committed in PostgreSQL.

    client -> intake -> (to_postgres) -> postgres
"""

from random import Random

from lab import Backing, Invariant, Link, Load, Operation, Panel, Readback, Request, Service, checkers, metrics
from scenarios.systems import disk

intake, postgres = Service("intake"), Backing("postgres")
to_postgres = Link(intake, postgres)
POST = "POST /items"
in_database = Readback("items", intake, "/items")

lost = metrics.acknowledged_lost(in_database.name)
# The disk's own count, by the name that its metrics have.
syncs = metrics.counter_increase("postgres-disk", "disk_fsyncs_total")


def item(rng: Random, n: int) -> Request:
    """An item with an id of its own, so that it can be found again."""
    return Request("POST", "/items", {"id": f"item-{n}"}, key=f"item-{n}")


def items(per_s: float, *, played_in: str) -> Load:
    """Items, each acknowledged one of which must be there in the end; in `played_in` there are 20 at least."""
    there = Invariant("what was acknowledged is there", checkers.recovered(in_database, played_in=played_in, least=20))
    return Load(Operation(POST, item), intake, per_s, "poisson", readbacks=[in_database], invariants=[there])


class Panels:
    """What shows this system."""

    acknowledged = Panel(
        "Items acknowledged, commits, and syncs of the disk",
        # rate() drops a metric's name, and `or` takes what is named alike for the same.
        'label_replace(rate(intake_acknowledged_total[3s]), "what", "items", "", "")'
        ' or label_replace(rate(intake_commits_total[3s]), "what", "commits", "", "")'
        ' or label_replace(rate(disk_fsyncs_total[3s]), "what", "syncs", "", "")',
        unit="ops",
        legend="{{what}}",
        live=True,
    )
    waiting = Panel("Items that wait for the next batch", "max(intake_waiting)", legend="items")
    unsynced = disk.unsynced
