"""
Pub/sub and streams: what happens to a message with no subscriber.

The notifier's link to NATS is down for 5 s. Later it is killed twice: with a message in hand, and with one that is done
and not acknowledged. Core NATS sends each message to the subscribers of that moment and keeps nothing. JetStream stores
all; a durable consumer delivers each message until the notifier has acknowledged it.
"""

from random import Random

from lab import (
    Backing,
    Claim,
    Exercise,
    Invariant,
    Link,
    Load,
    Operation,
    Panel,
    Phase,
    Readback,
    Request,
    Scenario,
    Service,
    Variant,
    checkers,
    faults,
    metrics,
)

nats = Backing("nats")
feed = Service("feed")
# A notification takes 1 ms, with the fsync and the acknowledgement some 2.5, one after the other: about 400 a second,
# four times the arrival rate.
notifier = Service("notifier", env={"WORK_MS": 1})
publish, listen = Link(feed, nats), Link(notifier, nats)  # two links, so that the notifier's can be broken alone

PAIRS = ("EURUSD", "USDJPY", "GBPUSD")


def event(rng: Random, n: int) -> Request:
    """A trade's event; every fiftieth repeats the one before, as a client does that did not get its answer."""
    number = n - 1 if n % 50 == 49 else n
    body = {"id": f"trade-{number}", "pair": PAIRS[number % 3], "amount_cents": 100 + number}
    return Request("POST", "/events", body, key=f"trade-{number}", keep_response=True)


lost, stored = metrics.messages_lost("notifier"), metrics.success_ratio()
behind = metrics.catch_up_s("notifier")
repeats_known = metrics.counter_quotient(feed, "feed_repeats_total", per="feed_stored_total")


scenario = Scenario(
    title="Pub/sub and streams",
    handbook=["8.2.2", "8.2.1", "8.4.2"],
    question="Which messages reach a notifier that was cut off for 5 s and then killed twice, and in which order?",
    links=[publish, listen],
    load=Load(Operation("POST /events", event), to=feed, per_s=100, arrivals="poisson"),
    phases=[
        Phase("baseline", lasts_s=6),
        Phase("cut", lasts_s=5, faults=[faults.down(listen)]),
        Phase("healed", lasts_s=7),
        # A kill at a random moment falls between two messages. These two hold the notifier at its barriers: a consumer
        # that acknowledges before it works loses the message in hand, one without deduplication notifies the done one
        # twice. At 100 messages a second a barrier is reached within some 10 ms.
        Phase("killed-in-hand", lasts_s=4, faults=[faults.kill(notifier, at="before-write")]),
        Phase("restarted", lasts_s=7),
        Phase("killed-unacked", lasts_s=4, faults=[faults.kill(notifier, at="between-work-and-ack")]),
        Phase("recovery", lasts_s=7),
    ],
    variants=[
        Variant("core", {feed: {"PUBLISH": "core"}, notifier: {"SUBSCRIBE": "core"}}),
        Variant(
            "durable",
            {feed: {"PUBLISH": "durable"}, notifier: {"SUBSCRIBE": "durable", "IN_FLIGHT": 1, "ACK_WAIT_S": 1}},
        ),
    ],
    claims=[
        # No subscriber: all of some 490 events in 5 s and 390 in 4 s are lost, less a few at the edges. The bounds
        # leave room for quick looks at a tenth of the length; that the faults were in force is known by their receipts.
        Claim("a cut loses", "core", "cut", lost, at_least=40, control=True),
        Claim("a crash loses", "core", "killed-in-hand", lost, at_least=30, control=True),
        Claim("a second crash loses", "core", "killed-unacked", lost, at_least=30, control=True),
        Claim("a cut loses nothing", "durable", "cut", lost, at_most=0),
        Claim("a crash with a message in hand loses nothing", "durable", "killed-in-hand", lost, at_most=0),
        Claim("a crash before the acknowledgement loses nothing", "durable", "killed-unacked", lost, at_most=0),
        # The feed and its link are healthy all the time, so each event has to be accepted; without these six a feed
        # that refuses everything loses nothing either. One in a hundred may meet a machine that is busy for 2 s.
        Claim("events are stored while the notifier is cut off", "durable", "cut", stored, at_least=0.99),
        Claim("and while it catches up", "durable", "healed", stored, at_least=0.99),
        Claim("and while it is dead", "durable", "killed-in-hand", stored, at_least=0.99),
        Claim("and once it is back", "durable", "restarted", stored, at_least=0.99),
        Claim("and while it is dead again", "durable", "killed-unacked", stored, at_least=0.99),
        Claim("and afterwards", "durable", "recovery", stored, at_least=0.99),
        # 500 behind, 100 more a second, 400 done: 500 / (400 - 100) = 1.7 s, after the cut and up to 1 s more until the
        # message in flight is delivered again. After a crash 400 behind: 1.3 s, 1 s of ACK_WAIT_S, and its start.
        Claim("it catches up after the cut", "durable", "healed", behind, at_most=5),
        Claim("it catches up after the crash", "durable", "restarted", behind, at_most=5),
        Claim("it catches up after the second crash", "durable", "recovery", behind, at_most=5),
        # Every fiftieth publish repeats an id: 12 of 600, 0.02. A stream that misses more than two of the 12 gives less
        # than 10 of 600; by how many Poisson arrivals differ from 600 moves it by 0.001.
        Claim("the stream stores a repeat once", "durable", "baseline", repeats_known, at_least=0.0165),
        # A write to the page cache and a round trip: 3 to 9 ms were measured. 50 ms is where a caller would notice.
        Claim("storing costs little", "durable", "baseline", metrics.p90_ms(of="ok"), at_most=50),
        Claim("health costs nothing", "durable", "baseline", metrics.success_ratio(), at_least=0.999),
    ],
    invariants=[
        Invariant(
            "what was acknowledged is received",
            checkers.ask(
                "all_received", readback="notifier", played_in="cut, killed-in-hand, killed-unacked", least=20
            ),
            broken_in=["core"],
        ),
        Invariant(
            "each pair's events come in order, without a gap",
            checkers.ask("in_order", readback="notifier"),
            broken_in=["core"],
        ),
        Invariant(
            "each event is notified once",
            checkers.ask(
                "exactly_once", readback="notifications", played_in="cut, killed-in-hand, killed-unacked", least=20
            ),
            variants=["durable"],
        ),
    ],
    readbacks=[
        Readback("notifier", notifier, "/received"),
        Readback("notifications", notifier, "/notifications/keys"),
    ],
    panels=[
        Panel("Events published and notified", "feed_events or notifier_notified", legend="{{service}}", live=True),
        Panel("Age of the newest event received", "max(notifier_behind_seconds)", unit="s", legend="behind"),
        Panel("Redeliveries of a known event", "max(notifier_again_total)", legend="deliveries"),
        Panel("Connected to NATS", "nats_connected", legend="{{service}}", values={0: "no", 1: "yes"}),
    ],
    idea=(
        "Core NATS is at-most-once: a disconnected subscriber misses the message, unreported. nats-py's publish "
        "returns once the message is in its own buffer. A stream is storage: the publisher gets the broker's "
        "acknowledgement once the message is written, and a durable consumer delivers it until the receiver "
        "acknowledges it, also after a disconnect or a crash. Retention is another matter: this stream keeps every "
        "message, acknowledged or not. Delivery is at-least-once. A receiver that crashes between its work and its "
        "acknowledgement gets the message again, so it has to know what it has done. Order has a price: with several "
        "messages in flight on this consumer, a later one can overtake a redelivery, so one is in flight. Order is "
        "needed for each pair only; an ordered consumer, or one consumer for each pair, keeps it with many in flight. "
        "What is missing here: the broker itself never crashes, and 'stored' means the page cache, since JetStream "
        "syncs to disk every 2 minutes by default; the feed writes to its memory and to the broker without an outbox "
        "(a dual write); and nothing limits redelivery, so one message that always fails would block all pairs."
    ),
    predict=[
        "How many of 100 events a second does core NATS lose in 5 s without the link? In 4 s without the process?",
        "The backlog is 500 events, 100 more arrive each second, and 400 a second are processed. How long is catch-up?",
        "Two kills: one before the line is written, one between line and acknowledgement. Which event comes twice?",
    ],
    look_at=[
        "`Events published and notified`: core diverges three times, for good; durable meets again three times.",
        "The receipts of the kills: the event that stood at the barrier, and what became of it in each variant.",
        "The order invariant of the control: each gap with its first and its last number. Which fault made which?",
        "The evidence of the invariants: messages, deliveries, and redeliveries, in each variant.",
    ],
    exercises=[
        Exercise(
            "Let 100 be in flight, and wait 8 s before a redelivery. Which claim fails after a kill?", "IN_FLIGHT"
        ),
        Exercise("Disable the notifier's deduplication. Which event is notified twice, after which kill?", "DEDUPE"),
        Exercise("Let a notification take 12 ms. Does it ever catch up? What grows, and where is it kept?", "WORK_MS"),
        Exercise("Kill the broker instead of the notifier. What does the feed answer meanwhile?", "faults.kill(nats)"),
    ],
)
