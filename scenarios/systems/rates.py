"""
Rates: two instances of one service keep a price in Redis and fetch it from PostgreSQL.

    client -> rates-1 -> redis, postgres
    client -> rates-2 -> redis, postgres
"""

from random import Random
from typing import Literal

from lab import Backing, Invariant, Link, Load, Operation, Panel, Request, Service, checkers, metrics

READ = "GET /rates/EURUSD"
redis, postgres = Backing("redis"), Backing("postgres")
# Two instances of one service: a flight is shared within a process, and nothing but Redis between them.
both = [Service(name, module="rates") for name in ("rates-1", "rates-2")]
to_redis, to_postgres = [Link(rates, redis) for rates in both], [Link(rates, postgres) for rates in both]
# PostgreSQL's own count: a service that is broken may miscount, the server that it asks does not. No other statement is
# a SELECT while the load runs.
queries_per_s = metrics.counter_per_s(postgres, "pg_stat_statements_calls", command="SELECT")


def read(rng: Random, n: int) -> Request:
    """The hot key."""
    return Request("GET", "/rates/EURUSD", key="EURUSD", keep_response=True)


def write(rng: Random, n: int) -> Request:
    """A new price, of which there is no second, into the database; what is cached stays."""
    rate = f"1.{n:05d}"
    return Request("PUT", "/rates/EURUSD", {"rate": rate}, key="EURUSD", value=rate)


def hot_key(per_s: float, arrivals: Literal["uniform", "poisson"] = "uniform", *, ttl_s: float) -> Load:
    """99 reads of one key to one write of it; no rate that is served may be older than `ttl_s`."""
    fresh = Invariant(
        "a served rate is at most TTL_S stale",
        checkers.bounded_staleness(within_s=ttl_s, at="rate", initial="1.08000"),
    )
    mix = [Operation(READ, read, weight=99), Operation("PUT /rates/EURUSD", write, weight=1)]
    return Load(mix, both, per_s, arrivals, invariants=[fresh])


class Panels:
    """What shows this system."""

    queries = Panel(
        "Queries",
        "sum(rate(rates_queries_total[3s]))",
        unit="reqps",
        legend="to the database, as rates counts them",
        live=True,
    )
    expiries = Panel("Expiries", "sum(rate(rates_renewals_total[3s]))", unit="reqps", legend="values stored anew")
    misses = Panel(
        "Reads that missed in Redis",
        'sum(rate(rates_looks_total{found="no"}[3s])) / sum(rate(rates_looks_total[3s]))',
        unit="percentunit",
        legend="share",
    )
    age = Panel(
        "Age of the served rate",
        "histogram_quantile(0.99, sum by (le) (rate(rates_age_seconds_bucket[3s])))",
        unit="s",
        legend="p99",
    )
