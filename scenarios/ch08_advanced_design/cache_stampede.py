"""
Cache stampede: the moment a hot key expires, every reader that misses it asks the database.

Two instances of rates keep one price in Redis, for two seconds at a time, and serve 200 reads a second. A fetch from
the database takes 1 ms at first, so few reads meet an expiry. Then it takes 100 ms, and each expiry sends twenty reads
to the database. Three patterns bound that: one flight in each process, one flight in all, or renewal before the expiry.
"""

from lab import Claim, Phase, Scenario, Variant, faults, metrics
from scenarios.systems.rates import READ, Panels, both, hot_key, queries_per_s, to_postgres, to_redis

TTL_S = 2
PROTECTED = ("process", "shared", "early")

scenario = Scenario(
    title="Cache stampede",
    handbook=["8.1.1", "7.7.1.3"],
    question="How many queries does one hot-key expiry cause, and which readers wait?",
    links=[*to_redis, *to_postgres],
    load=hot_key(per_s=200, arrivals="poisson", ttl_s=TTL_S),
    settings={rates: {"TTL_S": TTL_S} for rates in both},
    # 24 s have 11 to 12 expiries, enough that a pattern and its neighbour (one query for each expiry, or two) are
    # apart.
    phases=[
        Phase("quick", lasts_s=5),
        Phase("slow", lasts_s=24, faults=[faults.latency(link, ms=100) for link in to_postgres]),
    ],
    variants=[
        Variant("plain", {rates: {"FETCH": "each"} for rates in both}),
        Variant("process", {rates: {"FETCH": "process"} for rates in both}),
        Variant("shared", {rates: {"FETCH": "shared"} for rates in both}),
        Variant("early", {rates: {"FETCH": "early"} for rates in both}),
    ],
    # A value lives for TTL_S from the moment the database was asked, and not longer (the invariant below), so there is
    # an expiry every 2 s, whatever a service says. What follows is queries a second: k for each expiry is k / 2 s.
    # Simulated 400 times from the load and the fetch time alone: plain 8.2 to 12.3, process 0.92 to 1.00, shared 0.46
    # to 0.50, early 0.63 to 1.13.
    claims=[
        # A herd is the reads that come within one fetch, 200/s x 0.1 s = 20, and the one before them, every 2.1 s:
        # 10/s.
        Claim("the herd reaches the database", "plain", "slow", queries_per_s, at_least=5, control=True),
        # 2 for each expiry, 1.0/s. With 3 it would be at least 33 in 24 s, 1.38/s; the bound is 2.5 of them.
        Claim(
            "one query from each of two processes", "process", "slow", queries_per_s, at_least=0.6, at_most=2.5 / TTL_S
        ),
        # 1 for each expiry, 0.5/s, 12 in 24 s. With 2 it would be at least 22, 0.92/s; the bound is 1.5 of them.
        Claim("one query in all", "shared", "slow", queries_per_s, at_least=0.3, at_most=1.5 / TTL_S),
        # A twentieth of the time a fetch is under way, so of a hundred reads five wait, for up to 100 ms and then for
        # the next look, 10 ms later at most: p99 is the longest fifth of these waits, 80 ms and more.
        Claim(
            "the price of a shared flight: readers wait",
            "shared",
            "slow",
            metrics.p99_ms(READ, of="ok"),
            at_least=50,
            at_most=150,
            price=True,
        ),
        # A renewal comes 0.1 s x ln(200/s x 0.1 s) = 0.3 s before the expiry, so every 1.7 s. One query is the least;
        # the second process sends one too if its dice fall while the first fetches, in 46 % of cases: 1.46 / 1.7 s =
        # 0.86/s. Without a flight 1 + 1.7 reads renew each time, 1.6/s on average (95 % of simulated runs are above
        # 1.15).
        Claim("renewal costs less than two queries", "early", "slow", queries_per_s, at_least=0.4, at_most=1.15),
        # Half of a fetch. p99 and not the maximum: XFetch knows the duration of the last fetch, which was 1 ms, so the
        # first expiry of the phase is met unprepared, by 20 of its 4,800 reads.
        Claim("no reader waits for a renewal", "early", "slow", metrics.p99_ms(READ, of="ok"), at_most=50),
        # The work that each pattern must still do. No read is refused or lost: 1 in 1,000 is left to the machine.
        *(
            Claim(f"reads succeed ({variant}, {phase})", variant, phase, metrics.success_ratio(READ), at_least=0.999)
            for variant in PROTECTED
            for phase in ("quick", "slow")
        ),
    ],
    panels=[Panels.queries, Panels.expiries, Panels.misses, Panels.age],
)
