"""
Retry storm: retries help against a moment's failure, and turn a shortage into a collapse.

One booking in 25 fails for a moment, and a retry saves it. Then the ledger's standby moves further away for a while,
and the ledger can do less than half of what it could. Both hops before it retry at once, three times each: a shortage
of a sixth becomes sixteen times the load, and outlives its cause. Backoff does not end it. A budget for retries does,
and still saves the one in 25.
"""

from lab import Claim, Phase, Scenario, Variant, faults, metrics
from scenarios.systems.exchange import Panels, book, booked_trades, charge, copy, exchange, ledger, payments, standby

to_payments, to_ledger = metrics.attempts_per_request(charge), metrics.attempts_per_request(book)
denied_per_s = metrics.counter_per_s(exchange, "retries_denied_total")
AT_ONCE = {"RETRIES": 3}  # at both hops
BACKOFF = {**AT_ONCE, "RETRY_BACKOFF_S": 0.1}
BUDGET = {**BACKOFF, "RETRY_BUDGET": 0.05}

scenario = Scenario(
    title="Retry storm",
    handbook=["7.6.1", "8.5.5"],
    question="Does the exchange come back when the ledger has its capacity back?",
    links=[charge, book, copy],
    load=booked_trades(per_s=10),
    # One booking at a time: 25 ms of the ledger's own and 29 ms until the standby has it, 54 ms, 18.5 a second at most;
    # with the standby 65 ms further away 119 ms, 8.4 a second. 10 trades a second lie between the two, a sixth too
    # many, evenly spread: what happens is to come from the shortage, not from a chance cluster of arrivals. The queue
    # has no bound worth the name: once half a second of work is in it, each caller has timed out before its booking's
    # turn comes. Each 25th attempt is refused at once, whatever the load: 4 %, which a budget of 5 % can retry.
    settings={
        standby: {"WORK_MS": 25},
        ledger: {"WORK_MS": 25, "QUEUE": 10_000, "STUMBLE_EVERY": 25},
        payments: {"LEDGER_TIMEOUT_S": 0.5},
        exchange: {"PAYMENTS_TIMEOUT_S": 5},  # longer than all attempts of payments take
    },
    phases=[
        Phase("baseline", lasts_s=8),
        Phase("fault", lasts_s=12, faults=[faults.latency(copy, ms=65)]),
        Phase("recovery", lasts_s=13),
    ],
    variants=[
        Variant("at-once", {exchange: AT_ONCE, payments: AT_ONCE}),
        Variant(
            "backoff",
            {exchange: BACKOFF, payments: BACKOFF},
            unclaimed={
                "fault": "it collapses as the control does, later by its backoff",
                "recovery": "its claim is that at most 10 % of trades succeed",
            },
        ),
        Variant("budget", {exchange: BUDGET, payments: BUDGET}),
    ],
    claims=[
        # With the fault gone every trade still fails, after 4 attempts at payments that make 4 at the ledger each: 16.
        # The bounds leave room for attempts on the other side of the phase's edge.
        Claim("a trade is 4 attempts at payments", "at-once", "recovery", to_payments, at_least=3.5, control=True),
        Claim("a trade is 16 attempts at the ledger", "at-once", "recovery", to_ledger, at_least=14, control=True),
        # 160 attempts a second for a ledger of 18.5: the queue grows on, and its callers have timed out.
        Claim(
            "no trade succeeds after the fault",
            "at-once",
            "recovery",
            metrics.success_ratio(),
            at_most=0.1,
            control=True,
        ),
        # Each stumble is one attempt of 25, and 16 are allowed: no trade of the baseline fails.
        Claim("a retry saves a refused attempt", "backoff", "baseline", metrics.success_ratio(), at_least=0.99),
        # Backoff changes when the attempts are made, not how many.
        Claim("backoff does not end the collapse", "backoff", "recovery", metrics.success_ratio(), at_most=0.1),
        # 5 % of the requests of each hop, and the 3 retries that a full budget holds: for 120 trades at most 9 retries
        # at the exchange and 0.05 x 129 + 3 = 9 at payments, 138 attempts for 120 trades, 1.15.
        Claim("the budget bounds the load", "budget", "fault", to_ledger, at_most=1.2),
        # 3 of the 80 attempts of 8 s stumble. A budget with no token retries none of them: 0.96 and 1.00 attempts.
        Claim("the budget still saves a refused attempt", "budget", "baseline", metrics.success_ratio(), at_least=0.99),
        Claim("the budget retries what it may", "budget", "baseline", to_ledger, at_least=1.02),
        # Half a second of work is 4.2 bookings, and the queue grows by 10.4 - 8.4 a second: the trades of the first 2 s
        # succeed, 20 of 120. Nothing that the budget can do saves those after them.
        Claim("trades succeed until the queue is full", "budget", "fault", metrics.success_ratio(), at_least=0.1),
        # Of 120 trades 20 succeed in the first 2 s, and 9 of the others have a token: some 90 are not retried, 7.5/s.
        Claim("the price: retries are denied", "budget", "fault", denied_per_s, at_least=5, price=True),
        # 12 s at 10 x 1.1 - 8.4 a second leave 31 waiting, 9 of them half a second of work. The other 22 are cleared at
        # 18.5 - 11 a second: 2.9 s, and 4.9 s on a machine that adds 6 ms to each booking. A stumble before the budget
        # has refilled makes it 2.3 s more, 7.2 s, and recovery is seen in steps of a second.
        Claim("it recovers by itself", "budget", "recovery", metrics.recovery_s(), at_most=9),
    ],
    panels=[
        Panels.attempts_by_hop,
        Panels.waiting_at_the_ledger,
        Panels.repeated_work,
        Panels.retries_denied,
    ],
)
