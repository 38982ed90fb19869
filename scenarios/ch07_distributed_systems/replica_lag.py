"""
Replica lag: a session that reads elsewhere than it writes.

Ten sessions write at the primary and read at the primary or at its standby, at random. For ten seconds
everything that the standby is sent arrives half a second late. A session then misses what it has just written, and sees
it come and go. It may wait for its own write, or read its own rows at the primary.
"""

from lab import Claim, Phase, Scenario, Variant, faults, metrics
from scenarios.systems.orders import OWN, Panels, orders, primary, replicate_a, sessions, stale, to_a, to_primary

success = metrics.success_ratio()
# PostgreSQL's own count: the service may miscount.
reads_per_s = metrics.counter_per_s(primary, "pg_stat_statements_calls", command="SELECT")
PROTECTED, PHASES = ("lsn", "own"), ("baseline", "lagging", "recovery")

scenario = Scenario(
    title="Replica lag",
    handbook=["7.7.2.2", "7.6.1.1"],
    question="How often does a session miss its own write, and what does it cost to see it?",
    links=[to_primary, to_a, replicate_a],
    load=sessions(60, "poisson", broken_in=["any"], played_in="lagging"),
    phases=[
        Phase("baseline", lasts_s=4),
        Phase("lagging", lasts_s=10, faults=[faults.latency(replicate_a, ms=500)]),
        Phase("recovery", lasts_s=4),
    ],
    variants=[Variant(read, {orders: {"READ": read}}) for read in ("any", "lsn", "own")],
    claims=[
        # 30 own reads/s, half of them at the standby. Each session has six operations a second, one of six a write: two
        # or three are less than 0.5 s old, and in 1 - (5/6)^2.5 = 37 % one of these is a write: 15 x 0.37 x 10 s, 55.
        Claim("any: a session misses its own write", "any", "lagging", stale, at_least=20, control=True),
        Claim("lsn: no own write is missed", "lsn", "lagging", stale, at_most=0),
        Claim("own: no own write is missed", "own", "lagging", stale, at_most=0),
        # One in a hundred is left to the machine.
        *(
            Claim(f"requests succeed ({variant}, {phase})", variant, phase, success, at_least=0.99)
            for variant in PROTECTED
            for phase in PHASES
        ),
        # The standby is 0.5 s behind, and a read waits for what is left of that: of own reads a fifth waits, 0.25 s on
        # average and the longest 0.5 s.
        Claim(
            "the price of lsn: reads wait for the standby",
            "lsn",
            "lagging",
            metrics.p99_ms(OWN, of="ok"),
            at_least=200,
            at_most=700,
            price=True,
        ),
        Claim("own: no read waits", "own", "lagging", metrics.p99_ms(OWN, of="ok"), at_most=150),
        # At the primary: with `any` half of 50 reads/s, with `own` all 30 own ones and half of the 20 others: 40/s. 1.6
        # times, with a deviation of 0.1; the service itself asks each server twice a second.
        Claim(
            "the price of own: the primary reads more",
            "own",
            "lagging",
            reads_per_s,
            at_least=1.2,
            at_most=1.9,
            of="any",
            price=True,
        ),
    ],
    panels=[Panels.behind, Panels.reads],
)
