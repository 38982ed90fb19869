"""
Circuit breaker: stop calling a dependency that has stopped answering.

Payments goes silent: it takes connections and never answers. Unprotected, every trade waits out its time-out;
protected, the exchange refuses at once, spares payments, and lets it back in by itself.
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

# A time-out of 0.5 s keeps the price of finding out small: until the first call has timed out no breaker can know
# anything, and it takes 10 failures of the last 20 calls to open, so the first 0.7 s x 50/s = 35 trades of the
# fault are slow in both variants. That is 4 % of the 1,000 (7 % of the 500 at half scale): p90 is the claim, not p99.
exchange = Service("exchange", env={"PAYMENTS_TIMEOUT_S": 0.5})
payments = Service("payments")
charge = Link(exchange, payments)  # a link is a proxy of its own; faults attach here


def trade(rng: Random, n: int) -> Request:
    """A trade with an id of its own, so that its charge can be found again."""
    body = {"id": f"trade-{n}", "buyer": "ann", "seller": "bob", "amount_cents": rng.randrange(100, 100_000)}
    return Request("POST", "/trades", body, key=f"trade-{n}")


scenario = Scenario(
    title="Circuit breaker",
    handbook=["7.6.1.3", "8.5.5"],
    question="Does the exchange stay quick while payments is silent?",
    links=[charge],
    load=Load(Operation("POST /trades", trade), to=exchange, per_s=50, arrivals="poisson"),
    phases=[
        Phase("baseline", lasts_s=10),
        Phase("fault", lasts_s=20, faults=[faults.silence(charge)]),
        Phase("recovery", lasts_s=20),
    ],
    variants=[
        Variant("off", {exchange: {"BREAKER": "off"}}),
        Variant("on", {exchange: {"BREAKER": "on", "BREAKER_OPEN_S": 5}}),
    ],
    claims=[
        # Half a second less what rounding and clocks may take.
        Claim("callers wait out the timeout", "off", "fault", metrics.p90_ms(), at_least=475, control=True),
        # A refusal is a look at a variable, and takes 2 ms here; 50 ms is what nobody would call waiting.
        Claim("refusals are immediate", "on", "fault", metrics.p90_ms(), at_most=50),
        # 35 calls to find out and 3 probes, of 1,000: about 4 % (8 % at half scale).
        Claim("payments is spared", "on", "fault", metrics.attempts(charge), at_most=0.10, of="off"),
        # The rest of 5 s may have begun just before payments came back; then the probe, and a second to see it.
        Claim("payments is let back in", "on", "recovery", metrics.recovery_s(), at_most=6),
        Claim("health costs nothing", "on", "baseline", metrics.success_ratio(), at_least=0.999),
    ],
    invariants=[
        Invariant(
            "an acknowledged trade is charged exactly once",
            checkers.ask("exactly_once", readback="charges"),
        ),
    ],
    readbacks=[Readback("charges", payments, "/charges/keys")],
    profile=[exchange],
    panels=[
        Panel("Breaker", "max by (peer) (breaker_state)", values={0: "closed", 1: "half-open", 2: "open"}, live=True),
        Panel(
            "Calls to payments",
            'sum by (error_type) (rate(http_client_request_duration_seconds_count{peer="payments"}[5s]))',
            unit="reqps",
        ),
        Panel("Waiting for payments", "sum by (peer) (http_client_active_requests)"),
        Panel(
            "Trades by answer",
            "sum by (http_response_status_code)"
            ' (rate(http_server_request_duration_seconds_count{service="exchange"}[5s]))',
            unit="reqps",
        ),
        Panel("Event-loop lag", "max by (service) (event_loop_lag_seconds)", unit="s"),
    ],
    idea=(
        "A caller that waits for a dependency which does not answer lends it its own time, connections and memory, "
        "and soon is as slow as the dependency. A breaker counts failures; when too many calls of the recent past "
        "failed it opens and refuses the next ones at once, without a call. After a rest it lets a single probe "
        "through: one success closes it again, one failure prolongs the rest."
    ),
    predict=[
        "How long does a trade take in the fault, with the breaker off? And with it on, for the unlucky first ones?",
        "How many calls reach the silent link in 20 s with the breaker on? Count those before it opens, then probes.",
        "How long after payments is back does the first trade succeed, at worst?",
    ],
    look_at=[
        "The heat map: two bands in the fault with the breaker on, and which of them is empty in the control.",
        "`Waiting for payments`: the control holds rate x time-out calls open at any moment (Little's law).",
        "The half-open probes: one call each time the rest is over, not a burst.",
    ],
    exercises=[
        Exercise("Let the breaker rest longer. What do you gain in calls spared, and who pays?", "BREAKER_OPEN_S"),
        Exercise(
            "Give payments 5 s to answer. Which claim fails first, and why can no breaker help?", "PAYMENTS_TIMEOUT_S"
        ),
        Exercise(
            "Replace silence by 200 ms of latency. Does the breaker open? Should it?", "faults.latency(charge, ms=200)"
        ),
    ],
)
