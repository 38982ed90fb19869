"""
Failover loss: what the new primary lacks.

PostgreSQL has a standby whose replication link is cut. Five seconds later the primary is killed for good, and a standby
is promoted. Asynchronous replication has lost what was not sent. Synchronous replication to that one standby has lost
nothing, since no write was acknowledged. With two standbys, of which any one is enough, writes go on and none is lost.
"""

from lab import Claim, Phase, Scenario, Variant, actions, faults, metrics
from scenarios.systems.orders import (
    Panels,
    links,
    new_orders,
    on_the_primary,
    primary,
    replicate_a,
    standby_a,
    standby_b,
)

lost, success = metrics.acknowledged_lost(on_the_primary.name), metrics.success_ratio()
kept = metrics.listed_ratio(on_the_primary.name, at="effects")
stalled_s, wait_ms = metrics.longest_gap_s(), metrics.p50_ms(of="ok")
NAMES, CUT_S = "SYNCHRONOUS_STANDBY_NAMES", 5


scenario = Scenario(
    title="Failover loss",
    handbook=["7.6.1.2"],
    question="Which acknowledged orders does the new primary lack, and for how long does no write succeed?",
    links=links,
    load=new_orders(50, "poisson", loses=["asynchronous"], played_in="baseline"),
    phases=[
        Phase("baseline", lasts_s=4),
        # The standby that has received most is promoted: `standby-a` where there is no other.
        Phase(
            "cut",
            lasts_s=CUT_S + 5,
            # A link that refuses does so whether the primary lives or not; a silent one needs it alive.
            faults=[faults.down(replicate_a)],
            actions=[actions.promote([standby_a, standby_b], instead_of=primary, after_s=CUT_S)],
        ),
    ],
    variants=[
        Variant("asynchronous", {primary: {NAMES: ""}}),
        Variant("one", {primary: {NAMES: 'FIRST 1 ("standby-a")'}}),
        Variant("any-one", {primary: {NAMES: 'ANY 1 ("standby-a", "standby-b")'}}, needs=[standby_b]),
    ],
    claims=[
        # 5 s x 50/s = 250 with a deviation of 16 (Poisson). The bound leaves room for quick looks at half the length.
        Claim("asynchronous: what was not sent is lost", "asynchronous", "cut", lost, at_least=90, control=True),
        # All but what is on its way when the link is cut: 50/s for some milliseconds.
        Claim("asynchronous: what was sent is kept", "asynchronous", "baseline", kept, at_least=0.98),
        Claim("one: nothing is lost", "one", "cut", lost, at_most=0),
        Claim("any-one: nothing is lost", "any-one", "cut", lost, at_most=0),
        # One in a hundred is left to the machine.
        *(
            Claim(f"writes succeed in baseline ({v})", v, "baseline", success, at_least=0.99)
            for v in ("one", "any-one")
        ),
        # Of 10 s: 5 until the promotion, up to 1.5 for it and for the service to find it, the rest served.
        Claim("writes succeed after the failover (one)", "one", "cut", success, at_least=0.3),
        # All but the failover itself.
        Claim("writes go on (any-one)", "any-one", "cut", success, at_least=0.8),
        # The kill takes milliseconds, the promotion 0.1 to 1 s, and the service asks every 0.05 s.
        Claim("writes resume soon after the failover (any-one)", "any-one", "cut", stalled_s, at_most=2.5),
        # From the last write that the standby confirmed until the promotion and its second.
        Claim(
            "the price of one: no write succeeds while the standby is cut off",
            "one",
            "cut",
            stalled_s,
            at_least=CUT_S - 0.5,
            at_most=CUT_S + 2.5,
            price=True,
        ),
        # A commit flushes here, is sent, and is flushed there: two flushes of 1 to 10 ms, and a trip.
        Claim(
            "the price of any-one: a commit waits for a standby", "any-one", "baseline", wait_ms, at_most=40, price=True
        ),
    ],
    panels=[Panels.behind, Panels.writes_to, Panels.in_flight],
)
