"""
Databases at each isolation level: a service that plays anomalies step by step, and lets four kinds of work meet.

    client -> isolation -> postgres
                        -> mariadb
"""

import json
from collections.abc import Sequence
from random import Random

from lab import Backing, Invariant, Link, Load, Operation, Panel, Readback, Request, Service, checkers, metrics

isolation = Service("isolation")
postgres = Backing("postgres")
# Off, as when the results were published. It is MariaDB's default up to 11.6.1; from 11.6.2 on the default is on.
mariadb = Backing("mariadb", settings={"INNODB_SNAPSHOT_ISOLATION": False})
to_postgres, to_mariadb = Link(isolation, postgres), Link(isolation, mariadb)
DEPOSIT, LEAVE = "POST /deposits", "POST /leaves"

# Does the level prevent the anomaly? M. Kleppmann's Hermitage, 2014: PostgreSQL 9.3, MySQL 5.6 (InnoDB, as in MariaDB).
ANOMALIES = ("G0", "G1a", "G1b", "G1c", "OTV", "PMP", "P4", "G-single", "G2-item", "G2")
PUBLISHED = {
    "postgres read uncommitted": "yes yes yes yes yes no no no no no",  # it treats this one as read committed
    "postgres read committed": "yes yes yes yes yes no no no no no",
    "postgres repeatable read": "yes yes yes yes yes yes yes yes no no",
    "postgres serializable": "yes yes yes yes yes yes yes yes yes yes",
    "mariadb read uncommitted": "yes no no no no no no no no no",
    "mariadb read committed": "yes yes yes yes yes no no no no no",
    "mariadb repeatable read": "yes yes yes yes yes read-only no read-only no no",
    "mariadb serializable": "yes yes yes yes yes yes yes yes yes yes",
}


def post(path: str, value: str, key: str | None = None, **body: object) -> Request:
    """An operation whose answer a checker will read."""
    return Request("POST", path, body, key=key, value=value, keep_response=True)


def anomaly(rng: Random, n: int) -> Request:
    """Each anomaly in turn, with what is published of it for every row."""
    which = n % len(ANOMALIES)
    published = {row: cells.split()[which] for row, cells in PUBLISHED.items()}
    return post("/anomalies", json.dumps(published), ANOMALIES[which], anomaly=ANOMALIES[which])


def deposit(rng: Random, n: int) -> Request:
    """Read a balance, add to it, write it: to two accounts, so that many meet."""
    account, cents = n % 2 + 1, rng.randrange(1, 1_000)
    return post("/deposits", str(cents), f"account {account}", account=account, cents=cents)


def deposit_anywhere(rng: Random, n: int) -> Request:
    """The same to one of six accounts: where arrivals are random, so are those of each."""
    account, cents = rng.randrange(1, 7), rng.randrange(1, 1_000)
    return post("/deposits", str(cents), f"account {account}", account=account, cents=cents)


def transfer(rng: Random, n: int) -> Request:
    """Money moves within a pair of accounts."""
    return Request("POST", "/transfers", {"cents": rng.randrange(1, 100)})


def audit(rng: Random, n: int) -> Request:
    """The pair's total, which is always the same."""
    return post("/audits", '{"total_cents": 200000}')


def leave_apart(rng: Random, n: int) -> Request:
    """The same, where shifts that follow each other are far apart in the table and in its index.

    PostgreSQL's serializable locks what was read by pages of an index: neighbours would be aborted for each other.
    """
    shift, doctor = n // 4 * 499 % 5_000, n % 2 + 1
    return post("/leaves", f"doctor {doctor}", f"shift {shift}", shift=shift, doctor=doctor)


def leave(rng: Random, n: int) -> Request:
    """Two of four arrivals in a row are for each doctor of a shift: often both ask while neither is gone yet."""
    shift, doctor = n // 4, n % 2 + 1
    return post("/leaves", f"doctor {doctor}", f"shift {shift}", shift=shift, doctor=doctor)


books = Readback("books", isolation, "/books")
as_published = Invariant(
    "only anomalies that are published to happen",
    checkers.as_published("POST /anomalies", source="Hermitage (2014)"),
)


def anomalies_and_work(per_s: float, *, loses: Sequence[str], reads_torn: Sequence[str], skews: Sequence[str]) -> Load:
    """Anomalies in the phase `script`; in `load` deposits, transfers, audits and leaves.

    The variants named must break: `loses` the deposits (P4), `reads_torn` the audits (G-single), `skews` the leaves
    (G2-item).
    """
    mix = [
        Operation("POST /anomalies", anomaly, phases=["script"]),
        Operation("POST /deposits", deposit, weight=3, phases=["load"]),
        Operation("POST /transfers", transfer, weight=2, phases=["load"]),
        Operation("POST /audits", audit, weight=2, phases=["load"]),
        Operation("POST /leaves", leave, weight=4, phases=["load"]),
    ]
    invariants = [
        as_published,
        Invariant(
            "no deposit is lost (P4)",
            checkers.no_lost_update("POST /deposits", books, at="accounts"),
            broken_in=loses,
        ),
        Invariant(
            "an audit sees all of the money (G-single)",
            checkers.as_expected("POST /audits"),
            broken_in=reads_torn,
        ),
        Invariant(
            "one doctor stays on call (G2-item)",
            checkers.one_stays("POST /leaves", books, at="on_call"),
            broken_in=skews,
        ),
    ]
    return Load(mix, isolation, per_s, readbacks=[books], invariants=invariants)


def deposits(per_s: float, *, loses: Sequence[str]) -> Load:
    """Deposits alone, of which the variants named in `loses` must lose some."""
    kept = Invariant("no deposit is lost (P4)", checkers.no_lost_update(DEPOSIT, books, at="accounts"), broken_in=loses)
    mix = Operation(DEPOSIT, deposit_anywhere)
    return Load(mix, isolation, per_s, "poisson", readbacks=[books], invariants=[kept])


def leaves(per_s: float, *, skews: Sequence[str]) -> Load:
    """Leaves alone, evenly spaced; the variants named in `skews` must leave shifts without a doctor."""
    serial = Invariant(
        "answers and shifts fit a serial order (G2-item)",
        checkers.serial_leaves(LEAVE, books, at="on_call"),
        broken_in=skews,
    )
    return Load(Operation(LEAVE, leave_apart), isolation, per_s, readbacks=[books], invariants=[serial])


left_empty = metrics.keys_listed("books", at="empty")
happened = metrics.counter_increase(isolation, "isolation_plays_total", prevented="no, read-only")  # in any half
# What the servers count themselves: the target may miscount, they do not. In `load` the target rolls back only after a
# refusal, once for each retry.
BEGUN_PER_S = {
    "postgres": metrics.counter_per_s(postgres, "pg_stat_statements_calls", command="BEGIN"),
    "mariadb": metrics.counter_per_s(mariadb, "mariadb_commands", command="begin"),
}
ROLLED_BACK = {
    "postgres": metrics.counter_increase(postgres, "pg_stat_statements_calls", command="ROLLBACK"),
    "mariadb": metrics.counter_increase(mariadb, "mariadb_commands", command="rollback"),
}


class Panels:
    """What shows this system."""

    retried = Panel("Transactions retried", "sum(rate(retries_total[5s]))", unit="ops", legend="retries", live=True)
    in_flight = Panel(
        "In flight",
        'sum by (http_route) (http_server_active_requests{http_route=~"/(anomalies|deposits|audits|leaves)"})',
        legend="{{http_route}}",
    )
