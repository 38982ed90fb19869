"""
JetStream: power loss. What a broker's "stored" means when its machine loses power.

A feed publishes to a JetStream stream on a disk that forgets what was not synced, and has each event acknowledged. The
broker loses power, and later it is killed, which the page cache survives. As shipped NATS syncs once in two minutes;
the variants sync once a second, and before each answer.
"""

from lab import Claim, Phase, Scenario, Variant, faults, metrics
from scenarios.systems.events import Panels, feed, store, stored, stored_events, syncing

SLOW_MS = 5  # an fsync of a disk that has no cache with a battery: so the price is the same on any machine
lost, success, wait_ms = metrics.acknowledged_lost(stored.name), metrics.success_ratio(), metrics.p50_ms(of="ok")

scenario = Scenario(
    title="JetStream: power loss",
    handbook=["8.2.2", "7.2.1.4"],
    question="Which acknowledged events does a JetStream stream still have after a power loss of its server?",
    links=[store],
    load=stored_events(60, loses=["shipped"], keeps=["always"], played_in="written, again"),
    settings={feed: {"PUBLISH": "durable"}},
    phases=[
        Phase("written", lasts_s=4, faults=[faults.slow_fsync(syncing, SLOW_MS)]),
        # 0.8 s dark, so that the canary sees six probes of it.
        Phase("cut", lasts_s=3, faults=[faults.power_loss(syncing, 0.8)]),
        Phase("again", lasts_s=3),
        Phase("killed", lasts_s=3, faults=[faults.kill(syncing, 0.8)]),
        Phase("recovery", lasts_s=2),
    ],
    variants=[
        Variant("shipped", {syncing: {"SYNC_INTERVAL": "2m"}}),
        Variant("every-second", {syncing: {"SYNC_INTERVAL": "1s"}}),
        Variant("always", {syncing: {"SYNC_INTERVAL": "always"}}),
    ],
    claims=[
        # All of `written`: 240, and 180 at four standard deviations. A look at a third of the length still tells.
        Claim("a power loss takes what was never synced", "shipped", "cut", lost, at_least=50, control=True),
        Claim("what was synced before the answer stays", "always", "cut", lost, at_most=0),
        # The timer's second: 60 events, and 91 at four standard deviations.
        Claim("a power loss takes one second at most", "every-second", "cut", lost, at_most=91),
        # What was handed to the kernel outlives the process.
        *(Claim(f"a kill takes nothing ({v})", v, "killed", lost, at_most=0) for v in ("shipped", "always")),
        # An answer that waits for an fsync takes 5 ms at least. One stream syncs one message after the other: 60/s keep
        # it busy for a third of the time, which adds 1.5 ms on average. At 3 times 5 ms a caller would notice.
        Claim("an answer waits for the disk", "always", "written", wait_ms, at_least=SLOW_MS),
        Claim("the price of a sync", "always", "written", wait_ms, at_most=3 * SLOW_MS, price=True),
        *(
            Claim(f"events are acknowledged ({variant}, {phase})", variant, phase, success, at_least=least)
            for variant in ("every-second", "always")
            # Away for 0.8 s and a start of 0.3 s to 0.6 s, of 3 s.
            for phase, least in {"written": 0.99, "cut": 0.3, "again": 0.95, "killed": 0.3, "recovery": 0.95}.items()
        ),
    ],
    panels=[Panels.acknowledged, Panels.unsynced, Panels.connected],
)
