"""
Events: a feed publishes each trade to NATS, and a notifier that listens there notifies its parties.

    client -> feed -> (publish) -> nats <- (listen) <- notifier
"""

from collections.abc import Sequence
from random import Random
from typing import Literal

from lab import Backing, Invariant, Link, Load, Operation, Panel, Readback, Request, Service, checkers
from scenarios.systems import disk

nats = Backing("nats")
feed, notifier = Service("feed"), Service("notifier")
publish, listen = Link(feed, nats), Link(notifier, nats)  # two links, so that the notifier's can be broken alone
syncing = Backing("nats", since="2.10")  # older ones know no `sync_interval`
store = Link(feed, syncing)

PAIRS = ("EURUSD", "USDJPY", "GBPUSD")


def event(rng: Random, n: int) -> Request:
    """A trade's event; every fiftieth repeats the one before, as a client does that did not get its answer."""
    number = n - 1 if n % 50 == 49 else n
    body = {"id": f"trade-{number}", "pair": PAIRS[number % 3], "amount_cents": 100 + number}
    return Request("POST", "/events", body, key=f"trade-{number}", keep_response=True)


received = Readback("notifier", notifier, "/received")
notified = Readback("notifications", notifier, "/notifications/keys")
stored = Readback("in the stream", feed, "/stored")


def events(
    per_s: float,
    arrivals: Literal["uniform", "poisson"] = "uniform",
    *,
    at_most_once: Sequence[str] = (),
    at_least_once: Sequence[str] = (),
    played_in: str = "",
) -> Load:
    """Events, each acknowledged one to be received in its pair's order and notified once.

    The variants in `at_most_once` must break that. `played_in` names the phases in which at least 20 events must have
    been acknowledged: those whose faults could lose them.
    """
    least = 20
    invariants = [
        Invariant(
            "what was acknowledged is received",
            checkers.all_received(received, played_in=played_in, least=least),
            broken_in=at_most_once,
        ),
        Invariant(
            "each pair's events come in order, without a gap",
            checkers.in_order(received),
            broken_in=at_most_once,
        ),
        Invariant(
            "each event is notified once",
            checkers.exactly_once(notified, played_in=played_in, least=least),
            variants=at_least_once,
        ),
    ]
    mix = Operation("POST /events", event)
    return Load(mix, feed, per_s, arrivals, readbacks=[received, notified], invariants=invariants)


def stored_events(per_s: float, *, loses: Sequence[str], keeps: Sequence[str], played_in: str) -> Load:
    """Events, each acknowledged one to be in the stream at the end in the variants `keeps`; in `loses` some are not.

    `played_in` names the phases in which at least 20 of them must have been acknowledged.
    """
    there = Invariant(
        "what was acknowledged is stored",
        checkers.recovered(stored, played_in=played_in, least=20),
        variants=[*loses, *keeps],
        broken_in=loses,
    )
    mix = Operation("POST /events", event)
    return Load(mix, feed, per_s, "poisson", readbacks=[stored], invariants=[there])


class Panels:
    """What shows this system."""

    published_and_notified = Panel(
        "Events published and notified", "feed_events or notifier_notified", legend="{{service}}", live=True
    )
    age = Panel("Age of the newest event received", "max(notifier_behind_seconds)", unit="s", legend="behind")
    redeliveries = Panel("Redeliveries of a known event", "max(notifier_again_total)", legend="deliveries")
    acknowledged = Panel("Events acknowledged", "rate(feed_stored_total[3s])", unit="reqps", legend="events", live=True)
    unsynced = disk.unsynced
    connected = Panel("Connected to NATS", "nats_connected", legend="{{service}}", values={0: "no", 1: "yes"})
