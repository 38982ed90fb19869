"""
Pub/sub and streams: what becomes of a message while nobody listens.

The notifier's link to NATS is down for 5 s, later it is killed with -9. Core NATS hands each message to whoever listens
at that moment, and forgets it; JetStream keeps it until the notifier has said that it is done.
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
# Telling a customer takes 1 ms, and with all that belongs to it some 2.5, one after the other: about 400 a second, four
# times what comes in.
notifier = Service("notifier", env={"WORK_MS": 1})
publish, listen = Link(feed, nats), Link(notifier, nats)  # two links, so that the notifier's can be broken alone

PAIRS = ("EURUSD", "USDJPY", "GBPUSD")


def event(rng: Random, n: int) -> Request:
    """A trade's event; every fiftieth is the one before once more, as from a client that lost its answer."""
    number = n - 1 if n % 50 == 49 else n
    body = {"id": f"trade-{number}", "pair": PAIRS[number % 3], "amount_cents": 100 + number}
    return Request("POST", "/events", body, key=f"trade-{number}", keep_response=True)


scenario = Scenario(
    title="Pub/sub and streams",
    handbook=["8.2.2", "8.2.1", "8.4.2"],
    question="Which messages reach a notifier that was cut off for 5 s and then killed, and in which order?",
    links=[publish, listen],
    load=Load(Operation("POST /events", event), to=feed, per_s=100, arrivals="poisson"),
    phases=[
        Phase("baseline", lasts_s=6),
        Phase("cut", lasts_s=5, faults=[faults.down(listen)]),
        Phase("healed", lasts_s=7),
        Phase("killed", lasts_s=4, faults=[faults.kill(notifier)]),
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
        # Nobody listens: all of some 490 events in 5 s and 390 in 4 s are lost, less a few at the edges. The bounds
        # leave room for quick looks at a tenth of the length; that the faults were in force is known by their receipts.
        Claim("a cut loses", "core", "cut", metrics.messages_lost("notifier"), at_least=40, control=True),
        Claim("a crash loses", "core", "killed", metrics.messages_lost("notifier"), at_least=30, control=True),
        Claim("a cut loses nothing", "durable", "cut", metrics.messages_lost("notifier"), at_most=0),
        Claim("a crash loses nothing", "durable", "killed", metrics.messages_lost("notifier"), at_most=0),
        # 500 behind, 100 more a second, 400 done: 1.7 s, and up to 1 s for what was in flight to be delivered again.
        # 1.1 to 2.9 s were measured on a machine that others used as well.
        Claim("it catches up after the cut", "durable", "healed", metrics.catch_up_s("notifier"), at_most=5),
        Claim("it catches up after the crash", "durable", "recovery", metrics.catch_up_s("notifier"), at_most=5),
        # Every fiftieth of 600 publishes: 12; one is enough to show that it knows.
        Claim(
            "the stream stores a repeat once",
            "durable",
            "baseline",
            metrics.counter_increase(feed, "feed_repeats_total"),
            at_least=1,
        ),
        # A write to the page cache and a round trip: 3 to 9 ms were measured, 50 is what nobody would call waiting.
        Claim("the broker's word costs little", "durable", "baseline", metrics.p90_ms(), at_most=50),
        Claim("health costs nothing", "durable", "baseline", metrics.success_ratio(), at_least=0.999),
    ],
    invariants=[
        Invariant(
            "what was acknowledged is received", checkers.ask("all_received", readback="notifier"), broken_in=["core"]
        ),
        Invariant(
            "each pair's events come in order, without a gap",
            checkers.ask("in_order", readback="notifier"),
            broken_in=["core"],
        ),
        Invariant(
            "each event is notified once", checkers.ask("exactly_once", readback="notifications"), variants=["durable"]
        ),
    ],
    readbacks=[
        Readback("notifier", notifier, "/received"),
        Readback("notifications", notifier, "/notifications/keys"),
    ],
    panels=[
        Panel("Events published and notified", "feed_events or notifier_notified", legend="{{service}}", live=True),
        Panel("Age of the newest event received", "max(notifier_behind_seconds)", unit="s", legend="behind"),
        Panel("Deliveries of an event that was known", "max(notifier_again_total)", legend="deliveries"),
        Panel("Connected to NATS", "nats_connected", legend="{{service}}", values={0: "no", 1: "yes"}),
    ],
    idea=(
        "Core NATS is a telephone: who is not there misses the call, and the caller never knows. A publish is done "
        "when it has left. A stream is a letter box: the broker answers once it has stored the message, and a durable "
        "consumer gets each one until it acknowledges it, also after it was away or has died. The price is that a "
        "message may come twice, when it was the acknowledgement that got lost: at-least-once delivery, which takes a "
        "receiver that knows what it has done. Order has a price of its own: only with one message in flight can no "
        "later one overtake a redelivery."
    ),
    predict=[
        "How many of the 100 events a second are lost in 5 s without the link? And in 4 s without the process?",
        "The backlog is 500 events, 100 more come each second, and 400 a second get done. How long to catch up?",
        "How many events come twice with the stream? What had happened to each of them?",
    ],
    look_at=[
        "`Events published and notified`: two lines that part twice, for good, against two that meet again.",
        "The order invariant of the control: each gap with its first and its last number. Which fault made which?",
        "The evidence of the invariants: messages, deliveries, and how many came again, in each variant.",
    ],
    exercises=[
        Exercise("Let 100 be in flight, and wait 8 s before a redelivery. What breaks when it is killed?", "IN_FLIGHT"),
        Exercise("Switch off the notifier's memory of ids. Who is told twice, with and without a stream?", "DEDUPE"),
        Exercise("Let a notification take 12 ms. Does it ever catch up? What grows, and where is it kept?", "WORK_MS"),
    ],
)
