"""
Circuit breaker: stop calling a dependency that has stopped answering.

Payments does the work and its answers are lost: for 4 s, later for 20 s. Without a breaker every trade waits out its
timeout. With one, the exchange rejects at once, calls payments no more, and lets it back in by itself.
"""

from lab import Claim, Phase, Scenario, Variant, faults, metrics
from scenarios.systems.exchange import NEW_TRADE, Panels, charge, exchange, market

scenario = Scenario(
    title="Circuit breaker",
    handbook=["7.6.1.3", "8.5.5"],
    question="Does the exchange stay quick while payments is silent?",
    links=[charge],
    load=market(per_s=50, arrivals="poisson"),  # 35 new trades a second, 10 repeats, 5 that need no payments
    # The timeout keeps the price of finding out small: until the first call has timed out, a breaker that counts
    # failures has none to count, and it takes 10 of the last 20 to open. At 35 new trades a second the tenth timeout
    # comes at 0.5 + 10/35 = 0.79 s, and 10 + 0.5 x 35 = 27.5 calls have been made by then, 4 more or fewer by chance
    # (Poisson). That is 4 % of the new trades of 20 s. In the control each tenth trade that timed out is repeated 1 s
    # later: 70, all charged by then.
    settings={exchange: {"PAYMENTS_TIMEOUT_S": 0.5}},
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
            metrics.p90_ms(NEW_TRADE, of="all"),
            at_least=475,
            control=True,
        ),
        # A rejection is a look at a variable, and takes 2 ms here; 50 ms is where a caller would begin to notice.
        Claim("refusals are immediate", "on", "fault", metrics.p90_ms(NEW_TRADE, of="refused"), at_most=50),
        Claim("most callers do not wait", "on", "fault", metrics.p50_ms(NEW_TRADE, of="all"), at_most=50),
        # 27.5 +- 4 calls until it opens, and a probe at 5.8, 11.3 and 16.8 s: 31. A breaker that lets all calls through
        # while half-open makes 39 x 0.5 = 20 more at each probe, 90 in all; 50 lies 4 deviations from both.
        Claim("payments is spared", "on", "fault", metrics.attempts(charge), at_most=50),
        # Payments answers again after 4 s, and the breaker rests until 0.8 + 5 s: the first trade succeeds at 5.8 s,
        # 0.1 more or less by chance, whatever the length of the blip. A rest of 6 s gives 6.8.
        Claim("it rests 5 s, no more", "on", "blip", metrics.longest_gap_s(NEW_TRADE), at_most=6.3),
        # At worst payments is back just after a probe was sent: its timeout, then the rest, 5.5 s. Here the fourth
        # probe is due at 22.3 s, 2.3 s after payments is back.
        Claim("payments is let back in", "on", "recovery", metrics.recovery_s(), at_most=6),
        # Until then each trade is rejected: at worst 5.5 s x 35 = 190 new ones, here 2.3 x 35 = 80.
        Claim(
            "the price: trades rejected after payments is back",
            "on",
            "recovery",
            metrics.requests_lost(NEW_TRADE),
            at_most=220,
            price=True,
        ),
        # A trade takes 6 ms, so at 35/s 0.2 are in flight when the blip begins, and their answers are lost: 3 or more
        # in one run of a thousand. 2 are 1.3 % of the 150 requests that half the length has.
        Claim("health costs nothing", "on", "baseline", metrics.success_ratio(), at_least=0.985),
        # No trade can succeed while payments is silent; what needs no payments has to.
        Claim("the rest of the exchange works on", "on", "fault", metrics.success_ratio("GET /trades"), at_least=0.99),
    ],
    profile=[exchange],
    panels=[
        Panels.breaker,
        Panels.calls_to_payments,
        Panels.waiting_for_payments,
        Panels.trades_by_answer,
        Panels.loop_lag,
    ],
)
