"""
Atomic transfer: a process is killed between debit and credit, and the money must be in one account or the other.

Three times the bank is killed with kill -9 while a transfer stands between its two halves. Where each half is committed
by itself, the debit stays and no credit comes. Where both are one transaction, the server rolls the debit back.
"""

from lab import Claim, Phase, Scenario, Variant, faults, metrics
from scenarios.systems.bank import TRANSFER, Panels, bank, halved, postgres, to_postgres, transfers

KILLS = ("kill-1", "kill-2", "kill-3")
BOTH = ("baseline", "recovery")
success = metrics.success_ratio()
halves_begun = metrics.counter_per_s(postgres, "pg_stat_statements_calls", command="WITH")
killed = faults.kill(bank, at="between-debit-and-credit", restart_after_s=0.8)

scenario = Scenario(
    title="Atomic transfer",
    handbook=["7.2.1.1"],
    question="Where is the money when the process dies between debit and credit?",
    links=[to_postgres],
    load=transfers(per_s=40, halves=["statements"]),
    # A kill at a random moment falls between two transfers: one takes some 5 ms, so at 40/s there is one in flight a
    # fifth of the time. The barrier holds the next one between its halves; at 40/s it comes by within some 25 ms.
    phases=[
        Phase("baseline", lasts_s=5),
        *(Phase(name, lasts_s=4, faults=[killed]) for name in KILLS),
        Phase("recovery", lasts_s=4),
    ],
    variants=[
        Variant("statements", {bank: {"TRANSFER": "statements"}}),
        Variant("transaction", {bank: {"TRANSFER": "transaction"}}),
    ],
    claims=[
        # The transfer at the barrier is halved; another one only where it comes by in the milliseconds until the kill.
        *(
            Claim(f"a transfer is left half done ({k})", "statements", k, halved, at_least=1, control=True)
            for k in KILLS
        ),
        *(Claim(f"no transfer is left half done ({k})", "transaction", k, halved, at_most=0) for k in KILLS),
        # Nothing is broken then. One transfer in a hundred may meet the moment at which a phase of a kill begins.
        *(Claim(f"transfers succeed in {p}", "transaction", p, success, at_least=0.985) for p in BOTH),
        # It is started 0.8 s after the kill and answers 0.5 to 1.5 s after that: of 4 s it is away for 2.3 at most.
        *(Claim(f"transfers succeed around {k}", "transaction", k, success, at_least=0.3) for k in KILLS),
        # The server's own count of half transfers: two a transfer, 80/s with a deviation of 6 over 5 s (Poisson).
        Claim("the server runs two statements per transfer", "transaction", "baseline", halves_begun, at_least=60),
        # Two trips more (BEGIN, COMMIT), one flush less. With h = 1.5 ms for HTTP, a trip r = 0.6 ms and a flush f:
        # (h + 4r + f) / (h + 2r + 2f), at most 3.9 / 2.7 = 1.44, where a flush is free; below 1 where f > 2r.
        Claim(
            "the price: two more round trips, one flush less",
            "transaction",
            "baseline",
            metrics.p50_ms(TRANSFER, of="ok"),
            at_most=1.6,
            of="statements",
            price=True,
        ),
    ],
    panels=[Panels.answers, Panels.in_flight],
)
