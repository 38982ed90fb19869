"""
Cache stampede: the moment a hot key expires, everybody asks the database at once.

Two instances of rates keep one price in Redis, for two seconds at a time, and 200 readers a second want it. While the
database answers in a millisecond, nobody notices an expiry. Then it takes 100 ms, and each expiry lets twenty readers
through to it. One flight a process, one flight in all, or a renewal ahead of time: each answers to another number.
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
    Request,
    Scenario,
    Service,
    Variant,
    checkers,
    faults,
    metrics,
)

TTL_S = 2
READ = "GET /rates/EURUSD"
redis, postgres = Backing("redis"), Backing("postgres")
# Two instances of one service: a flight is shared within a process, and nothing but Redis between them.
both = [Service(name, module="rates", env={"TTL_S": TTL_S}) for name in ("rates-1", "rates-2")]
to_redis = [Link(rates, redis) for rates in both]
to_postgres = [Link(rates, postgres) for rates in both]


def read(rng: Random, n: int) -> Request:
    """The hot key."""
    return Request("GET", "/rates/EURUSD", key="EURUSD", keep_response=True)


def write(rng: Random, n: int) -> Request:
    """A new price, of which there is no second, into the database; what is cached stays."""
    rate = f"1.{n:05d}"
    return Request("PUT", "/rates/EURUSD", {"rate": rate}, key="EURUSD", value=rate)


queries_per_expiry = metrics.counter_quotient(both, "rates_queries_total", per="rates_renewals_total")

scenario = Scenario(
    title="Cache stampede",
    handbook=["8.1.1", "7.7.1.3"],
    question="How many ask the database when a hot key expires, and who waits for it?",
    links=[*to_redis, *to_postgres],
    load=Load(
        [Operation(READ, read, weight=99), Operation("PUT /rates/EURUSD", write, weight=1)],
        to=both,
        per_s=200,
        arrivals="poisson",
    ),
    phases=[
        Phase("quick", lasts_s=5),
        Phase("slow", lasts_s=16, faults=[faults.latency(link, ms=100) for link in to_postgres]),
    ],
    variants=[
        Variant("plain", {rates: {"FETCH": "each"} for rates in both}),
        Variant("process", {rates: {"FETCH": "process"} for rates in both}),
        Variant("shared", {rates: {"FETCH": "shared"} for rates in both}),
        Variant("early", {rates: {"FETCH": "early"} for rates in both}),
    ],
    # A herd is rate times gap: 200/s x 0.1 s = 20, and the one that began it. The bounds below follow from how each
    # pattern is made; measured on two busy cores: 19 to 23, 2, 1, and 1.4 to 1.7.
    claims=[
        Claim("the herd reaches the database", "plain", "slow", queries_per_expiry, at_least=10, control=True),
        Claim("one flight in each of two processes", "process", "slow", queries_per_expiry, at_most=2),
        # The lock outlasts every fetch, so it is 1; the tenth is for a fetch that begins before the phase's edge.
        Claim("one flight in all", "shared", "slow", queries_per_expiry, at_most=1.1),
        # A twentieth of the time a fetch is under way, so of a hundred readers five wait, up to 100 ms.
        Claim("its price: readers wait for it", "shared", "slow", metrics.p99_ms(READ), at_least=50),
        # One a process at most; the second throws the dice early enough while the first fetches in half of the cases.
        Claim("two renewals ahead of time at most", "early", "slow", queries_per_expiry, at_most=2),
        # Half of a fetch. p99 and not the maximum: the dice know the last fetch, which was quick, so that the first
        # expiry in the phase is met unprepared, by 20 of its 3,200 readers at most.
        Claim("nobody waits for them", "early", "slow", metrics.p99_ms(READ), at_most=50),
        Claim("nothing fails", "early", "slow", metrics.success_ratio(), at_least=0.999),
    ],
    invariants=[
        Invariant(
            "a rate told was in the database, at most TTL_S before",
            checkers.ask("bounded_staleness", within_s=TTL_S, at="rate", initial="1.08000"),
        ),
    ],
    panels=[
        Panel(
            "Queries",
            "sum(rate(rates_queries_total[3s]))",
            unit="reqps",
            legend="to the database",
            live=True,
        ),
        Panel("Expiries", "sum(rate(rates_renewals_total[3s]))", unit="reqps", legend="values stored anew"),
        Panel(
            "Readers whom Redis had nothing for",
            'sum(rate(rates_looks_total{found="no"}[3s])) / sum(rate(rates_looks_total[3s]))',
            unit="percentunit",
            legend="share",
        ),
        Panel(
            "Age of what is told",
            "histogram_quantile(0.99, sum by (le) (rate(rates_age_seconds_bucket[3s])))",
            unit="s",
            legend="p99",
        ),
    ],
    idea=(
        "An expiry opens a gap: from the moment the value is gone until the first fetch has put it back. Whoever comes "
        "in the gap fetches too, so the herd is the rate of readers times the time of a fetch, and the slower the "
        "database, the larger the herd that makes it slower still. A single flight lets one fetch and the others wait "
        "for it; within a process that is a dictionary, across processes a lock, which is a trip and a time-out more. "
        "Early expiry (XFetch) leaves no gap: each reader throws dice that say renew the more often the nearer the "
        "expiry, in the background, without asking anybody. What it cannot know is a fetch that has just become slow."
    ),
    predict=[
        "200 readers a second, a fetch of 1 ms and then of 100 ms: how many meet an expiry in each phase?",
        "Two processes with a flight each: how many queries for an expiry, and how many with a hundred processes?",
        "In which of the four variants does a reader ever wait, and which share of them?",
    ],
    look_at=[
        "Queries against Expiries: their ratio is the herd. In `quick` the four variants hardly differ.",
        "The heat maps in `slow`: the rays above each expiry, which only `early` has not, but for one.",
        "Age of what is told: `early` renews sooner, so its rates are younger. That is what its queries buy.",
    ],
    exercises=[
        Exercise("Renew later or earlier: 0.2, 5. When do readers wait again, what does earlier cost?", "EARLY_BETA"),
        Exercise("A database 800 ms late: does `shared` hold? And a lock that ends before the fetch?", "LOCK_S"),
        Exercise("Four instances instead of two: which of the four numbers change, and to what?", "both"),
    ],
)
