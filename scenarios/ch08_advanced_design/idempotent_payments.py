"""
Idempotent payments: the answer is lost, the caller retries, and the money must move once.

For 5 s each connection to payments is reset when the charge has been made and its answer is on the way. The exchange
cannot know that, and retries. Payments charges again, or looks at the key that the request bears.
"""

from dataclasses import replace

from lab import Claim, Phase, Scenario, Variant, faults, metrics
from scenarios.systems.exchange import NEW_TRADE, Panels, charge, charged_once, exchange, market, payments

charges_made = metrics.counter_increase(payments, "payments_charges_total")
success = metrics.success_ratio()

scenario = Scenario(
    title="Idempotent payments",
    handbook=["8.3.4", "7.6.1"],
    question="How often is a trade charged whose answer was lost?",
    links=[charge],
    # 35 new trades a second, 10 repeats, 5 that need no payments. A repeat comes 1 s after its trade, so that trades
    # of the fault's last second are repeated, and answered, after it.
    load=replace(
        market(per_s=50, arrivals="poisson"),
        invariants=[replace(charged_once, broken_in=["bare"])],
    ),
    # The attempts of a trade take 0.05 + 0.1 + 0.2 s of backoff on average, 0.7 s at most: trades of the fault's last
    # third of a second have their answer after it.
    settings={exchange: {"RETRIES": 3, "RETRY_BACKOFF_S": 0.1}},
    phases=[
        Phase("baseline", lasts_s=5),
        Phase("fault", lasts_s=5, faults=[faults.reset(charge)]),
        Phase("recovery", lasts_s=6),
    ],
    variants=[
        Variant("bare", {payments: {"IDEMPOTENCY": "off"}}),
        Variant(
            "key",
            {payments: {"IDEMPOTENCY": "on"}},
            unclaimed={"fault": "each answer is lost; that no charge is made twice is what the key is for"},
        ),
    ],
    claims=[
        # 35 new trades a second and the 5 repeats whose trade is not settled, each attempted 4 times: 800 in 5 s. Less
        # 20 for repeats of trades of before, and 40 for attempts that come after the fault: 740.
        Claim("each attempt is charged", "bare", "fault", charges_made, at_least=600, control=True),
        # A new trade is charged by its first attempt, 175 with a deviation of 13 (Poisson); all else is a replay.
        Claim("each trade is charged once", "key", "fault", charges_made, at_most=230),
        Claim("charges are made", "key", "fault", charges_made, at_least=120),
        # A trade takes 6 ms, so at 35/s 0.2 are in flight when the fault begins and fail in it: 3 or more of the 250
        # requests in one run of a thousand.
        Claim("requests succeed in baseline", "key", "baseline", success, at_least=0.985),
        # The trades of the fault that are repeated get the charge that was made then. One in a hundred may meet the
        # fault's last moment, after three retries.
        Claim("requests succeed in recovery", "key", "recovery", success, at_least=0.98),
        # The key is looked up in a dictionary and kept for ever: no time that could be measured, 2 ms of work and a
        # round trip. In production the look-up is one more row of the charge's own transaction.
        Claim(
            "the price: a look-up for each charge",
            "key",
            "baseline",
            metrics.p50_ms(NEW_TRADE, of="ok"),
            at_most=1.5,
            of="bare",
            price=True,
        ),
    ],
    panels=[Panels.calls_to_payments, Panels.trades_by_answer],
)
