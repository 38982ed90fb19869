"""
Durable commit: every process of PostgreSQL is killed with kill -9, and what it acknowledged must be there afterwards.

Three times the server dies and recovers from its log. With synchronous_commit=off a commit is acknowledged while its
record is in memory that dies with the server. With synchronous_commit=on the record is flushed to disk first.
"""

from lab import Claim, Phase, Scenario, Variant, faults, metrics
from scenarios.systems.bank import DEPOSIT, Panels, deposits, postgres, to_postgres

CRASHES = ("crash-1", "crash-2", "crash-3")
BOTH = ("baseline", "recovery")
success = metrics.success_ratio()
lost = metrics.acknowledged_lost("books", at="deposits", over=", ".join(CRASHES))
inserts = metrics.counter_per_s(postgres, "pg_stat_statements_calls", command="INSERT")
killed = faults.kill(postgres, restart_after_s=0.8)

scenario = Scenario(
    title="Durable commit",
    handbook=["7.2.1.4"],
    question="Which acknowledged commits outlive the death of the whole server?",
    links=[to_postgres],
    load=deposits(per_s=50, loses=["off"]),
    # A second, where 200 ms is the default: five times the risk, so that three crashes show it in every run.
    # From version 17 on a full page wakes the WAL writer only where so much is to be flushed; the default is 1 MB.
    settings={postgres: {"WAL_WRITER_DELAY": "1s", "WAL_WRITER_FLUSH_AFTER": "8kB"}},
    phases=[
        Phase("baseline", lasts_s=5),
        *(Phase(name, lasts_s=4, faults=[killed]) for name in CRASHES),
        Phase("recovery", lasts_s=4),
    ],
    variants=[
        Variant("off", {postgres: {"SYNCHRONOUS_COMMIT": False}}),
        Variant("on", {postgres: {"SYNCHRONOUS_COMMIT": True}}),
    ],
    claims=[
        # The log is written page by page as pages fill, the rest once a wal_writer_delay. A deposit takes some 200
        # bytes of it, so up to 8192 / 200 = 40 are in a page that is not full: 20 a crash on average, 60 in three.
        # That a crash loses none takes a commit that ends with its page: three such in a row, next to never.
        Claim("crashes lose acknowledged deposits", "off", "crash-1", lost, at_least=3, control=True),
        # The documentation bounds the risk at three times wal_writer_delay: 3 s x 50/s = 150 a crash. kill -9 spares
        # what was written: what it takes fits into a page of the log, 40 a crash, 120 in three; a quarter more for
        # smaller records.
        Claim("three crashes lose three pages of the log at most", "off", "crash-1", lost, at_most=150),
        Claim("crashes lose no acknowledged deposit", "on", "crash-1", lost, at_most=0),
        # Nothing is broken then. One deposit in a hundred may meet the moment at which the server is killed.
        *(Claim(f"deposits succeed in {p}", "on", p, success, at_least=0.985) for p in BOTH),
        # It is started 0.8 s after the kill, replays its log and answers within 1.5 s more: of 4 s it is away for 2.3.
        *(Claim(f"deposits succeed around {k}", "on", k, success, at_least=0.3) for k in CRASHES),
        # The server's own count: 50/s with a deviation of 3 over 5 s (Poisson).
        Claim("the server inserts one row per deposit", "on", "baseline", inserts, at_least=37),
        # One flush of the log: 0.1 ms on flash with a protected cache, 1 to 5 ms without, 10 ms on a turning disk; and
        # some 5 ms for HTTP, the trip and a busy machine.
        Claim(
            "the price: a flush for each commit",
            "on",
            "baseline",
            metrics.p50_ms(DEPOSIT, of="ok"),
            at_most=15,
            price=True,
        ),
    ],
    panels=[Panels.deposit_answers, Panels.in_flight],
)
