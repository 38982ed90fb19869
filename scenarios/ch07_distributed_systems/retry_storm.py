"""
Retry storm: retries help against a moment's failure, and turn a shortage into a collapse.

The ledger loses half of its capacity for a while. Each hop before it tries again, at once, three times: what was a
shortage of a few percent becomes sixteen times the load, and stays when the capacity is back. A retry budget bounds it.
"""

from random import Random

from lab import (
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
    faults,
    metrics,
)

# 40 ms of one core for each booking: 25 a second at most, and half of that when it is held back. 13 trades a second are
# half of the one and a little more than the other. The queue has no bound worth the name: once half a second of work is
# in it, all of it is for somebody who has given up.
ledger = Service("ledger", env={"WORK_MS": 40, "QUEUE": 10_000})
payments = Service("payments", env={"LEDGER_TIMEOUT_S": 0.5})
exchange = Service("exchange", env={"PAYMENTS_TIMEOUT_S": 8})  # payments' own attempts end before
charge, book = Link(exchange, payments), Link(payments, ledger)


def trade(rng: Random, n: int) -> Request:
    """A trade with an id of its own, so that its charge and its entry can be found again."""
    return Request(
        "POST", "/trades", {"id": f"trade-{n}", "amount_cents": rng.randrange(100, 10_000)}, key=f"trade-{n}"
    )


AT_ONCE = {"RETRIES": 3}  # at both hops
BACKOFF = {**AT_ONCE, "RETRY_BACKOFF_S": 0.1}
BUDGET = {**BACKOFF, "RETRY_BUDGET": 0.05}

scenario = Scenario(
    title="Retry storm",
    handbook=["7.6.1", "8.5.5"],
    question="Does the exchange come back when the ledger has its capacity back?",
    links=[charge, book],
    load=Load(Operation("POST /trades", trade), to=exchange, per_s=13, arrivals="poisson", timeout_s=40),
    phases=[
        Phase("baseline", lasts_s=10),
        Phase("fault", lasts_s=20, faults=[faults.slow(ledger, share=0.5)]),
        Phase("recovery", lasts_s=20),
    ],
    variants=[
        Variant("at-once", {exchange: AT_ONCE, payments: AT_ONCE}),
        Variant("backoff", {exchange: BACKOFF, payments: BACKOFF}),
        Variant("budget", {exchange: BUDGET, payments: BUDGET}),
    ],
    claims=[
        Claim(
            "retries multiply the load",
            "at-once",
            "fault",
            metrics.attempts_per_request(book),
            at_least=4,
            control=True,
        ),
        Claim(
            "it stays down with the fault gone",
            "at-once",
            "recovery",
            metrics.success_ratio(),
            at_most=0.5,
            control=True,
        ),
        Claim("the budget bounds the load", "budget", "fault", metrics.attempts_per_request(book), at_most=1.2),
        Claim("it recovers by itself", "budget", "recovery", metrics.recovery_s(), at_most=5),
        Claim("health costs nothing", "budget", "baseline", metrics.success_ratio(), at_least=0.999),
    ],
    invariants=[
        Invariant("a trade is charged once", checkers.ask("exactly_once", readback="charges")),
        Invariant("a trade is booked once", checkers.ask("exactly_once", readback="entries")),
    ],
    readbacks=[Readback("charges", payments, "/charges/keys"), Readback("entries", ledger, "/entries/keys")],
    panels=[
        Panel(
            "Attempts by hop",
            "sum by (peer) (rate(http_client_request_duration_seconds_count[5s]))",
            unit="reqps",
            legend="to {{peer}}",
            live=True,
        ),
        Panel("Waiting at the ledger", "max(ledger_waiting)", legend="bookings", live=True),
        Panel(
            "Retries left out for want of budget",
            "sum by (service) (rate(retries_denied_total[5s]))",
            unit="reqps",
            legend="{{service}}",
        ),
        Panel(
            "Trades by answer",
            "sum by (http_response_status_code)"
            ' (rate(http_server_request_duration_seconds_count{service="exchange",http_route="/trades"}[5s]))',
            unit="reqps",
            legend="{{http_response_status_code}}",
        ),
    ],
    idea=(
        "A retry is a bet that the failure was bad luck. Where the reason is a lack of capacity the bet is lost each "
        "time, and each bet takes away more of what lacks. Hops multiply: three retries at each of two are sixteen "
        "attempts at the third. Work done for callers who have given up keeps the queue full and everyone else "
        "waiting past their time-out, so the collapse can outlive its cause: a metastable failure. Back-off spreads "
        "the attempts; only a budget, retries as a share of requests, bounds their number."
    ),
    predict=[
        "13 trades a second, three retries at two hops: how many attempts a second reach the ledger at worst?",
        "The ledger is whole again after 20 s. What is in its queue then, and who still waits for it?",
        "With a budget of 5 % at each hop: what is the most that the ledger can see?",
    ],
    look_at=[
        "Attempts by hop: the distance between the two lines, and which of them the back-off moves.",
        "Waiting at the ledger: how long it grows after the fault is over, with work for nobody.",
        "Recovery physics: which variants recover, and how long it takes them.",
    ],
    exercises=[
        Exercise("Let only the exchange retry, and payments not. What is lost, what is won?", "RETRIES"),
        Exercise("A queue of 10: how does a ledger that refuses early change the storm?", "QUEUE"),
        Exercise("A budget of 50 %: does it still recover? Find the share at which it tips over.", "RETRY_BUDGET"),
    ],
)
