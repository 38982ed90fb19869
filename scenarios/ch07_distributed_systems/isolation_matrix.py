"""
Isolation matrix: which anomalies each isolation level really lets happen, and what they cost under load.

Ten anomalies are played step by step on a real server, at each of its levels, and held against the published results.
Then the same levels get to work: money goes missing, totals are wrong and nobody is on call, until the level is right.
"""

import json
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
    Readback,
    Request,
    Scenario,
    Service,
    Variant,
    checkers,
    metrics,
)

isolation = Service("isolation", env={"THINK_MS": 100})
postgres = Backing("postgres")
# Off, as when the results were published: it is MariaDB's default before 11.8, and no longer since then.
mariadb = Backing("mariadb", settings={"INNODB_SNAPSHOT_ISOLATION": False})

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


def transfer(rng: Random, n: int) -> Request:
    """Money moves within a pair of accounts."""
    return Request("POST", "/transfers", {"cents": rng.randrange(1, 100)})


def audit(rng: Random, n: int) -> Request:
    """The pair's total, which is always the same."""
    return post("/audits", '{"total_cents": 200000}')


def leave(rng: Random, n: int) -> Request:
    """Two of four arrivals in a row are for each doctor of a shift: often both ask while neither is gone yet."""
    shift, doctor = n // 4, n % 2 + 1
    return post("/leaves", f"doctor {doctor}", f"shift {shift}", shift=shift, doctor=doctor)


def row(server: Backing, level: str) -> Variant:
    """One server at one level: `postgres-serializable`."""
    return Variant(f"{server.name}-{level}", {isolation: {"LEVEL": level}}, needs=[server])


LEVELS = ("read-uncommitted", "read-committed", "repeatable-read", "serializable")
WEAKEST, STRONG, STRONG_TOO = "postgres-read-uncommitted", "postgres-serializable", "mariadb-serializable"
COMMITTED_AT_MOST = [WEAKEST, "postgres-read-committed", "mariadb-read-uncommitted", "mariadb-read-committed"]
happened = metrics.counter_increase(isolation, "isolation_plays_total", prevented="no, read-only")  # in any half
retries = metrics.counter_increase(isolation, "retries_total")

scenario = Scenario(
    title="Isolation matrix",
    handbook=["7.4", "7.4.1", "7.4.2", "7.4.3", "7.4.4", "7.4.5"],
    question="Which anomalies does each isolation level prevent, on PostgreSQL and on MariaDB, and what do they cost?",
    links=[Link(isolation, postgres), Link(isolation, mariadb)],
    load=Load(
        [
            Operation("POST /anomalies", anomaly, phases=["script"]),
            Operation("POST /deposits", deposit, weight=3, phases=["load"]),
            Operation("POST /transfers", transfer, weight=2, phases=["load"]),
            Operation("POST /audits", audit, weight=2, phases=["load"]),
            Operation("POST /leaves", leave, weight=4, phases=["load"]),
        ],
        to=isolation,
        per_s=30,
    ),
    phases=[Phase("script", lasts_s=2), Phase("load", lasts_s=6)],
    variants=[row(server, level) for server in (postgres, mariadb) for level in LEVELS],
    claims=[
        # Half of the ten are published to happen there: 30 of 60 plays. Ten plays, one of each, would be enough to see.
        Claim("anomalies happen at the weakest level", WEAKEST, "script", happened, at_least=5, control=True),
        Claim("none happens in serializable PostgreSQL", STRONG, "script", happened, at_most=0),
        Claim("none happens in serializable MariaDB", STRONG_TOO, "script", happened, at_most=0),
        # 25 attempts, each in the way of few others. One request in a hundred may still be out of luck.
        Claim("serializable PostgreSQL serves all", STRONG, "load", metrics.success_ratio(), at_least=0.99),
        Claim("serializable MariaDB serves all", STRONG_TOO, "load", metrics.success_ratio(), at_least=0.99),
        # Some 15 deposits and 15 pairs of leaves meet (see the weak levels), and one of each two has to come again.
        Claim("the price: transactions begin again (PostgreSQL)", STRONG, "load", retries, at_least=5),
        Claim("the price: transactions begin again (MariaDB)", STRONG_TOO, "load", retries, at_least=5),
    ],
    invariants=[
        Invariant(
            "only anomalies that are published to happen",
            checkers.ask("as_published", operation="POST /anomalies", source="Hermitage (2014)"),
        ),
        Invariant(
            "no deposit is lost (P4)",
            checkers.ask("no_lost_update", operation="POST /deposits", readback="books", at="accounts"),
            broken_in=[*COMMITTED_AT_MOST, "mariadb-repeatable-read"],
        ),
        Invariant(
            "an audit sees all of the money (G-single)",
            checkers.ask("as_expected", operation="POST /audits"),
            broken_in=COMMITTED_AT_MOST,
        ),
        Invariant(
            "somebody stays on call (G2-item)",
            checkers.ask("one_stays", operation="POST /leaves", readback="books", at="on_call"),
            broken_in=[*COMMITTED_AT_MOST, "postgres-repeatable-read", "mariadb-repeatable-read"],
        ),
    ],
    readbacks=[Readback("books", isolation, "/books")],
    panels=[
        Panel("Transactions begun again", "sum(rate(retries_total[5s]))", unit="ops", legend="retries", live=True),
        Panel(
            "Under way",
            'sum by (http_route) (http_server_active_requests{http_route=~"/(anomalies|deposits|audits|leaves)"})',
            legend="{{http_route}}",
        ),
    ],
    idea=(
        "Isolation is a promise about the mixtures of concurrent transactions that nobody will ever see. A level is a "
        "list of anomalies that it rules out; all others may happen, and under load they do. The names mislead: "
        "PostgreSQL's repeatable read is snapshot isolation and refuses a lost update, InnoDB's of the same name lets "
        "it pass; read uncommitted exists in one of them only. Serializable rules out everything, and has a price: "
        "the server refuses transactions for another one's sake, and the caller must be able to begin them again."
    ),
    predict=[
        "Two transactions read 10 and write what they make of it. At which level does the second one fail, and how?",
        "A snapshot never changes under its reader. Why can two doctors still both leave?",
        "Serializable: which server makes transactions wait, and which refuses one of them at its commit?",
    ],
    look_at=[
        "`How each was measured`: the same steps at every level, side by side. Find the step at which each level acts.",
        "PostgreSQL at read uncommitted and at read committed: two names, and no cell that differs.",
        "`Transactions begun again`: zero at the weak levels. What they save is what the invariants lose.",
    ],
    exercises=[
        Exercise(
            "Turn it on. Which three cells differ now, and why is the verdict UNKNOWN?", "INNODB_SNAPSHOT_ISOLATION"
        ),
        Exercise("Let the application think for 10 ms. Is the weak level safe now, or only lucky?", "THINK_MS"),
        Exercise("Let a refused transaction fail at once. Who pays for serializable then?", "ATTEMPTS"),
    ],
)
