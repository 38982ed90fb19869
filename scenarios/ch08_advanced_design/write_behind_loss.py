"""
Write-behind loss: what was acknowledged and was not in the database yet.

Offers are answered from Redis and written to PostgreSQL once a second. The service is killed twice: when a batch is
written but not yet acknowledged to the stream, and with a second of offers in hand. Write-through has each offer in the
database before its answer; a stream in Redis keeps each one until the database has it.
"""

from functools import partial

from lab import Claim, Phase, Scenario, Variant, faults, metrics
from scenarios.systems.offers import Panels, in_database, new_offers, offers, postgres, to_postgres, to_redis

FLUSH_S, PER_S = 1.0, 50
# What was acknowledged two flushes ago is in the database.
lost, success = metrics.acknowledged_lost(in_database.name, behind_s=2 * FLUSH_S), metrics.success_ratio()
# PostgreSQL's own count of the rows that it took: the service may miscount.
rows_per_s = metrics.counter_per_s(postgres, "pg_stat_statements_rows", command="INSERT")
# One in a hundred is left to the machine. In a killed phase the service is away for 0.8 s and its start, 0.5 to
# 1.5 s: of 4 s for 2.3 at the most.
WORK = [("baseline", 0.99), ("killed-after", 0.3), ("between", 0.99), ("killed-before", 0.3), ("recovery", 0.99)]

killed = partial(faults.kill, offers, restart_after_s=0.8, within_s=1.5)  # while a batch is held at a point

scenario = Scenario(
    title="Write-behind loss",
    handbook=["8.1.2"],
    question="Which acknowledged offers does the database lack after the writer is killed?",
    links=[to_redis, to_postgres],
    load=new_offers(
        PER_S, in_database, "poisson", loses=["behind"], keeps=["through", "stream"], played_in="baseline, between"
    ),
    settings={offers: {"FLUSH_S": FLUSH_S}},
    phases=[
        Phase("baseline", lasts_s=4),
        Phase("killed-after", 4, faults=[killed(at="after-database")]),
        Phase("between", lasts_s=4),
        # A kill at a random moment finds half of a second's offers in hand. At the barrier it finds all: a batch is
        # about to be written, at most FLUSH_S after the phase has begun.
        Phase("killed-before", 4, faults=[killed(at="before-database")]),
        Phase("recovery", lasts_s=4),
    ],
    variants=[
        Variant("behind", {offers: {"WRITE": "behind"}}),
        Variant("through", {offers: {"WRITE": "through"}}),
        Variant("stream", {offers: {"WRITE": "stream"}}),
    ],
    claims=[
        # Since the last flush: FLUSH_S x 50/s = 50 offers, with a deviation of 7 (Poisson).
        Claim("a kill takes a flush interval of offers", "behind", "killed-before", lost, at_least=25, control=True),
        *(
            Claim(f"a kill loses nothing ({variant}, {phase})", variant, phase, lost, at_most=0)
            for variant in ("through", "stream")
            for phase in ("killed-after", "killed-before")
        ),
        *(
            Claim(f"offers are acknowledged ({variant}, {phase})", variant, phase, success, at_least=least)
            for variant in ("through", "stream")
            for phase, least in WORK
        ),
        # 200 offers, with a deviation of 14; a flush of 50 may fall on the other side of either edge: 37/s at least.
        Claim("the database receives the offers (through)", "through", "between", rows_per_s, at_least=30),
        Claim("the database receives the offers (stream)", "stream", "between", rows_per_s, at_least=30),
        # A commit waits for one fsync, 1 to 10 ms on a disk that is not busy, and for two more hops.
        Claim("the price of through: a commit", "through", "between", metrics.p50_ms(of="ok"), at_most=20, price=True),
        # SET and XADD in one MULTI are one trip, as a SET alone is; Redis works for microseconds.
        Claim(
            "the price of the stream: one command more",
            "stream",
            "between",
            metrics.p50_ms(of="ok"),
            at_most=2,
            of="behind",
            price=True,
        ),
    ],
    panels=[Panels.acknowledged, Panels.waiting],
)
