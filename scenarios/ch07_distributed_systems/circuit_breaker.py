"""
Circuit breaker: stop calling a dependency that has stopped answering.

Payments does the work and its answers are lost: for 4 s, later for 20 s. Without a breaker every trade waits out its
timeout. With one, the exchange rejects at once, calls payments no more, and lets it back in by itself.
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

# A timeout of 0.5 s keeps the price of finding out small: until the first call has timed out, a breaker that counts
# failures has none to count, and it takes 10 of the last 20 to open. At 35 new trades a second the tenth timeout comes
# at 0.5 + 10/35 = 0.79 s, and 10 + 0.5 x 35 = 27.5 calls have been made by then, 4 more or fewer by chance (Poisson).
# That is 4 % of the new trades of 20 s.
exchange = Service("exchange", env={"PAYMENTS_TIMEOUT_S": 0.5})
payments = Service("payments")
charge = Link(exchange, payments)  # a link is a proxy of its own; faults attach here


def trade(rng: Random, n: int) -> Request:
    """A trade with an id of its own, so that its charge can be found again; the id alone decides its terms."""
    body = {"id": f"trade-{n}", "buyer": "ann", "seller": "bob", "amount_cents": 100 + n}
    return Request("POST", "/trades", body, key=f"trade-{n}")


def again(rng: Random, n: int) -> Request:
    """A client that got no answer repeats its trade under the same id, 50 or 1,250 arrivals (1 or 25 s) later.

    The schedule is fixed beforehand, so trades that were answered are repeated too: the exchange knows their charge.
    """
    return trade(rng, max(n - rng.choice((50, 1_250)), n % 50))


# Of 50 a second 35 are new trades, 10 repeats (of settled trades, but in the fault: no call), and 5 need no payments.
new_trades = "POST /trades"
MIX: list[str | Operation] = [Operation(new_trades, trade, 7), Operation("POST /trades again", again, 2), "GET /trades"]

scenario = Scenario(
    title="Circuit breaker",
    handbook=["7.6.1.3", "8.5.5"],
    question="Does the exchange stay quick while payments is silent?",
    links=[charge],
    load=Load(MIX, to=exchange, per_s=50, arrivals="poisson"),
    phases=[
        Phase("baseline", lasts_s=6),
        Phase("blip", lasts_s=4, faults=[faults.silence(charge, swallows="answer")]),  # shorter than the breaker's rest
        Phase("healed", lasts_s=9),
        Phase("fault", lasts_s=20, faults=[faults.silence(charge, swallows="answer")]),
        Phase("recovery", lasts_s=11),
    ],
    variants=[
        Variant("off", {exchange: {"BREAKER": "off"}}),
        Variant(
            "on",
            {exchange: {"BREAKER": "on", "BREAKER_OPEN_S": 5}},
            unclaimed={
                "blip": "no trade can succeed while payments is silent; the claim on longest_gap_s bounds the wait",
                "healed": "each trade is rejected until the breaker's 5 s are over; the claim in blip bounds that",
            },
        ),
    ],
    claims=[
        # Half a second, less what rounding and clocks may take.
        Claim(
            "callers wait out the timeout",
            "off",
            "fault",
            metrics.p90_ms(new_trades, of="all"),
            at_least=475,
            control=True,
        ),
        # A rejection is a look at a variable, and takes 2 ms here; 50 ms is where a caller would begin to notice.
        Claim("refusals are immediate", "on", "fault", metrics.p90_ms(new_trades, of="refused"), at_most=50),
        Claim("most callers do not wait", "on", "fault", metrics.p50_ms(new_trades, of="all"), at_most=50),
        # 27.5 +- 4 calls until it opens, and a probe at 5.8, 11.3 and 16.8 s: 31. A breaker that lets all calls through
        # while half-open makes 39 x 0.5 = 20 more at each probe, 90 in all; 50 lies 4 deviations from both.
        Claim("payments is spared", "on", "fault", metrics.attempts(charge), at_most=50),
        # Payments answers again after 4 s, and the breaker rests until 0.8 + 5 s: the first trade succeeds at 5.8 s,
        # 0.1 more or less by chance, whatever the length of the blip. A rest of 6 s gives 6.8.
        Claim("it rests 5 s, no more", "on", "blip", metrics.longest_gap_s(new_trades), at_most=6.3),
        # At worst payments is back just after a probe was sent: its timeout, then the rest, 5.5 s. Here the fourth
        # probe is due at 22.3 s, 2.3 s after payments is back.
        Claim("payments is let back in", "on", "recovery", metrics.recovery_s(), at_most=6),
        # Until then each trade is rejected: at worst 5.5 s x 35 = 190 new ones, here 2.3 x 35 = 80.
        Claim(
            "the price: trades rejected after payments is back",
            "on",
            "recovery",
            metrics.requests_lost(new_trades),
            at_most=220,
        ),
        Claim("health costs nothing", "on", "baseline", metrics.success_ratio(), at_least=0.999),
        # No trade can succeed while payments is silent; what needs no payments has to.
        Claim("the rest of the exchange works on", "on", "fault", metrics.success_ratio("GET /trades"), at_least=0.99),
    ],
    invariants=[
        Invariant(
            # Each tenth trade that timed out is repeated 1 s later: in the control 70, all charged by then.
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
        "A caller that waits on a silent dependency ties up time, connections and memory, and becomes as slow as the "
        "dependency. A circuit breaker bounds that cost. While closed, it passes calls and records their results. It "
        "opens when it holds at least 10 results and at least half of the last 20 are failures. While open, it "
        "rejects each call immediately and sends nothing. After 5 s the next call passes as a probe. Success closes "
        "the breaker; failure opens it for another 5 s. A timed-out trade stays indeterminate: here payments has "
        "charged it, and the answer was lost. The client repeats it under the same id, and only the idempotency key "
        "at payments keeps that from being a second charge. What this breaker lacks: it counts failures, so it cannot "
        "open before the first timeout (Envoy's limits outstanding requests and can); its rest has no jitter, and one "
        "success readmits the full rate at once, so many callers would return together; and it belongs to one "
        "process, so N instances pay for N discoveries. It complements a concurrency limit, load shedding and a retry "
        "budget and replaces none of them. The control here has no concurrency limit: calls pile up and nothing else "
        "is starved, so the experiment shows the wait alone."
    ),
    predict=[
        "Breaker off: what is the p90 latency in the fault? Breaker on: how long do the first trades take?",
        "How many calls reach payments in 20 s with the breaker on? Count those before it opens, then the probes.",
        "Payments is silent for 4 s only. When does the first trade succeed? And in the control?",
    ],
    look_at=[
        "The heat map of the fault: off has one band, at 0.5 s; on adds a dense band near 1 ms, the rejections.",
        "`Waiting for payments`, off: calls a second x 0.5 s are in flight (Little's law).",
        "`Breaker`: one probe for each 5.5 s. At one scrape a second, some half-open states go unseen.",
        "The blip: the control succeeds again at once, the breaker rejects for almost 2 s more. That is its price.",
    ],
    exercises=[
        Exercise("Let the breaker rest for 15 s. Which claim fails, and what does it save?", "BREAKER_OPEN_S"),
        Exercise(
            "Give payments 5 s to answer. Which claims fail, and why can no breaker of this kind help?",
            "PAYMENTS_TIMEOUT_S",
        ),
        Exercise(
            "Replace silence by 200 ms of latency. Does the breaker open? Should it?", "faults.latency(charge, ms=200)"
        ),
    ],
)
