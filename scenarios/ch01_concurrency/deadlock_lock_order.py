"""
Deadlock by lock order: two transfers lock the same two accounts, each in its own order, and wait for each other.

The link to the database becomes slow, so that locks are held for longer and transfers meet. The server finds a deadlock
after a second and aborts one of the two. Where every transfer locks the lower account first, no deadlock can
form.
"""

from lab import Claim, Phase, Scenario, Variant, faults, metrics
from scenarios.systems.bank import ROLLED_BACK, TRANSFER, Panels, bank, postgres, to_postgres, transfers

PHASES = ("baseline", "fault", "recovery")
success = metrics.success_ratio()
halves_made = metrics.counter_per_s(postgres, "pg_stat_statements_calls", command="WITH")

scenario = Scenario(
    title="Deadlock by lock order",
    handbook=["1.2.3"],
    question="What happens when transfers lock the same accounts in opposite orders?",
    links=[to_postgres],
    load=transfers(per_s=30, among=8),
    settings={bank: {"TRANSFER": "transaction"}, postgres: {"DEADLOCK_TIMEOUT": "1s"}},
    phases=[
        Phase("baseline", lasts_s=4),
        Phase("fault", lasts_s=8, faults=[faults.latency(to_postgres, ms=20)]),
        Phase("recovery", lasts_s=4),
    ],
    variants=[
        Variant("asked", {bank: {"LOCK_ORDER": "asked"}}),
        Variant("sorted", {bank: {"LOCK_ORDER": "sorted"}}),
    ],
    claims=[
        # A transfer holds its first account alone for one trip, 21 ms. Its opposite is one of 56 pairs, 30/56 = 0.54/s,
        # and begins within 21 ms before or after with a chance of 0.54 x 0.042 = 2.3 %: of 240 transfers 5.4 meet
        # theirs, 2.7 deadlocks. Each blocks two of eight accounts for a second, in which 15 others wait, holding what
        # they have: one cycle makes the next, 9 to 23 in a simulation of six seeds. In health it is 0.06 in 4 s.
        Claim("the server aborts deadlocked transfers", "asked", "fault", ROLLED_BACK, at_least=4, control=True),
        # deadlock_timeout: the server looks for a cycle after a second of waiting.
        Claim("transfers wait for a second", "asked", "fault", metrics.p95_ms(of="all"), at_least=900, control=True),
        Claim("no transfer is aborted", "sorted", "fault", ROLLED_BACK, at_most=0),
        # Four trips are 84 ms. An account is locked for 42 to 63 ms at 30 x 2 / 8 = 7.5/s: used to 0.4, and a transfer
        # waits for two of them, some 17 ms each (M/D/1), more where the first is held while it waits for the second:
        # a p95 of 180 ms in the simulation.
        Claim("no transfer waits for a second", "sorted", "fault", metrics.p95_ms(of="all"), at_most=400),
        *(Claim(f"transfers succeed in {p}", "sorted", p, success, at_least=0.985) for p in PHASES),
        # The server's own count: 60/s with a deviation of 4 over 8 s (Poisson).
        Claim("the server runs two statements per transfer", "sorted", "fault", halves_made, at_least=45),
        # Sorting two numbers takes no time; what it takes is to know both before the first lock.
        Claim(
            "the price of sorting: the median wait",
            "sorted",
            "baseline",
            metrics.p50_ms(TRANSFER, of="ok"),
            at_most=1.3,
            of="asked",
            price=True,
        ),
    ],
    panels=[Panels.answers, Panels.retried, Panels.in_flight],
)
