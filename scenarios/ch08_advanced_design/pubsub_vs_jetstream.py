"""
Pub/sub and streams: what happens to a message with no subscriber.

The notifier's link to NATS is down for 5 s. Later it is killed twice: with a message in hand, and with one that is done
and not acknowledged. Core NATS sends each message to the subscribers of that moment and keeps nothing. JetStream stores
all; a durable consumer delivers each message until the notifier has acknowledged it.
"""

from lab import Claim, Phase, Scenario, Variant, faults, metrics
from scenarios.systems.events import Panels, events, feed, listen, notifier, publish

lost, stored = metrics.messages_lost("notifier"), metrics.success_ratio()
behind = metrics.catch_up_s("notifier")
repeats_known = metrics.counter_quotient(feed, "feed_repeats_total", per="feed_stored_total")

scenario = Scenario(
    title="Pub/sub and streams",
    handbook=["8.2.2", "8.2.1", "8.4.2"],
    question="Which messages reach a notifier that was cut off for 5 s and then killed twice, and in which order?",
    links=[publish, listen],
    load=events(
        per_s=100,
        arrivals="poisson",
        at_most_once=["core"],
        at_least_once=["durable"],
        played_in="cut, killed-in-hand, killed-unacked",
    ),
    # A notification takes 1 ms, with the fsync and the acknowledgement some 2.5, one after the other: about 400 a
    # second, four times the arrival rate.
    settings={notifier: {"WORK_MS": 1}},
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
        Claim("events are stored while the notifier catches up", "durable", "healed", stored, at_least=0.99),
        Claim("events are stored while the notifier is dead", "durable", "killed-in-hand", stored, at_least=0.99),
        Claim("events are stored once the notifier is back", "durable", "restarted", stored, at_least=0.99),
        Claim("events are stored while the notifier is dead again", "durable", "killed-unacked", stored, at_least=0.99),
        Claim("events are stored in recovery", "durable", "recovery", stored, at_least=0.99),
        # 500 behind, 100 more a second, 400 done: 500 / (400 - 100) = 1.7 s, after the cut and up to 1 s more until the
        # message in flight is delivered again. After a crash 400 behind: 1.3 s, 1 s of ACK_WAIT_S, and its start.
        Claim("it catches up after the cut", "durable", "healed", behind, at_most=5),
        Claim("it catches up after the crash", "durable", "restarted", behind, at_most=5),
        Claim("it catches up after the second crash", "durable", "recovery", behind, at_most=5),
        # Every fiftieth publish repeats an id: 12 of 600, 0.02. A stream that misses more than two of the 12 gives less
        # than 10 of 600; by how many Poisson arrivals differ from 600 moves it by 0.001.
        Claim("the stream stores a repeat once", "durable", "baseline", repeats_known, at_least=0.0165),
        # A write to the page cache and a round trip: 3 to 9 ms were measured. 50 ms is where a caller would notice.
        Claim(
            "the price: storing takes a write", "durable", "baseline", metrics.p90_ms(of="ok"), at_most=50, price=True
        ),
        Claim("health costs nothing", "durable", "baseline", metrics.success_ratio(), at_least=0.999),
    ],
    panels=[Panels.published_and_notified, Panels.age, Panels.redeliveries, Panels.connected],
)
