"""
Isolation matrix: which anomalies each isolation level really lets happen, and what they cost under load.

Ten anomalies are played step by step on a real server, at each of its levels, and held against the published results.
Then the same levels get to work: deposits are lost, totals are wrong and no doctor is on call, unless the level or the
statement prevents it.
"""

from lab import Backing, Claim, Phase, Scenario, Variant, metrics
from scenarios.systems.isolation import (
    BEGUN_PER_S,
    ROLLED_BACK,
    Panels,
    anomalies_and_work,
    happened,
    isolation,
    mariadb,
    postgres,
    to_mariadb,
    to_postgres,
)


def row(server: Backing, level: str) -> Variant:
    """One server at one level: `postgres-serializable`."""
    return Variant(f"{server.name}-{level}", {isolation: {"LEVEL": level}}, needs=[server])


LEVELS = ("read-uncommitted", "read-committed", "repeatable-read", "serializable")
ROWS = [row(server, level) for server in (postgres, mariadb) for level in LEVELS]
WEAKEST, STRONG, STRONG_TOO = "postgres-read-uncommitted", "postgres-serializable", "mariadb-serializable"
COMMITTED_AT_MOST = [WEAKEST, "postgres-read-committed", "mariadb-read-uncommitted", "mariadb-read-committed"]


def work(variant: Variant) -> list[Claim]:
    """What every row must have done, strong or weak: a level that refuses everything lets no anomaly happen either."""
    name, begun_per_s = variant.name, BEGUN_PER_S[variant.needs[0].name]
    return [
        # 60 plays, 6 of each anomaly: one anomaly refused is 0.90.
        Claim(f"plays are answered ({name})", name, "script", metrics.success_ratio(), at_least=0.95),
        # Ten plays are 12 scripts with 25 transactions, 60 in 2 s are 150: 75/s. A fifth is left to those that a slow
        # machine begins after the phase's edge. A target that plays every second anomaly is at 37.
        Claim(f"the server runs the plays ({name})", name, "script", begun_per_s, at_least=60),
        # 25 attempts, each in the way of few others. One request in a hundred may still be out of luck.
        Claim(f"work is served ({name})", name, "load", metrics.success_ratio(), at_least=0.99),
        # A transaction for each of 30 requests a second; a sixth may fall on the other side of the edge.
        Claim(f"the server runs the work ({name})", name, "load", begun_per_s, at_least=25),
    ]


scenario = Scenario(
    title="Isolation matrix",
    handbook=["7.4", "7.4.1", "7.4.2", "7.4.3", "7.4.4", "7.4.5"],
    question="Which anomalies does each isolation level prevent, on PostgreSQL and on MariaDB, and what do they cost?",
    links=[to_postgres, to_mariadb],
    load=anomalies_and_work(
        per_s=30,
        loses=[*COMMITTED_AT_MOST, "mariadb-repeatable-read"],
        reads_torn=COMMITTED_AT_MOST,
        skews=[*COMMITTED_AT_MOST, "postgres-repeatable-read", "mariadb-repeatable-read"],
    ),
    settings={isolation: {"THINK_MS": 100}},
    phases=[Phase("script", lasts_s=2), Phase("load", lasts_s=6)],
    variants=ROWS,
    claims=[
        # Half of the ten are published to happen there: 30 of 60 plays. Ten plays, one of each, would be enough to see.
        Claim("anomalies happen at the weakest level", WEAKEST, "script", happened, at_least=5, control=True),
        Claim("no anomaly happens in serializable PostgreSQL", STRONG, "script", happened, at_most=0),
        Claim("no anomaly happens in serializable MariaDB", STRONG_TOO, "script", happened, at_most=0),
        # Some 15 deposits and 15 pairs of leaves meet (see the weak levels), and one of each two has to come again.
        Claim(
            "the price: transactions are rolled back (PostgreSQL)",
            STRONG,
            "load",
            ROLLED_BACK["postgres"],
            at_least=5,
            price=True,
        ),
        Claim(
            "the price: transactions are rolled back (MariaDB)",
            STRONG_TOO,
            "load",
            ROLLED_BACK["mariadb"],
            at_least=5,
            price=True,
        ),
        *(claim for variant in ROWS for claim in work(variant)),
    ],
    panels=[Panels.retried, Panels.in_flight],
)
