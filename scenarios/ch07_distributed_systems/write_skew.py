"""
Write skew: two doctors read that two are on call, each signs off, and none is left.

The link to the database becomes slow, so that requests for one shift overlap. A snapshot does not help: each is right
about what it read. Serializable aborts one of the two; a lock on what was read makes one wait for the other.
"""

from lab import Claim, Phase, Scenario, Variant, faults, metrics
from scenarios.systems.isolation import (
    BEGUN_PER_S,
    LEAVE,
    ROLLED_BACK,
    Panels,
    isolation,
    leaves,
    left_empty,
    to_postgres,
)

PHASES = ("baseline", "fault", "recovery")
CURES = ("serializable", "for-update")
success = metrics.success_ratio(LEAVE)
aborts, begun_per_s = ROLLED_BACK["postgres"], BEGUN_PER_S["postgres"]
waits = metrics.p90_ms(LEAVE, of="ok")

scenario = Scenario(
    title="Write skew",
    handbook=["7.4.5", "7.4.4"],
    question="Is one doctor still on call when several sign off at once?",
    links=[to_postgres],
    # Four requests for each shift, 25 ms apart, by its two doctors in turn; the first is granted, three are denied.
    load=leaves(per_s=40, skews=["repeatable-read"]),
    settings={isolation: {"THINK_MS": 0}},
    # From the snapshot, which is taken when the SELECT is parsed, to the commit's arrival are three trips: 3 ms in
    # health, 63 ms in the fault. So no request for a shift meets another one in health, and each the next two in the
    # fault.
    phases=[
        Phase("baseline", lasts_s=3),
        Phase("fault", lasts_s=6, faults=[faults.latency(to_postgres, ms=20)]),
        Phase("recovery", lasts_s=3),
    ],
    variants=[
        Variant("repeatable-read", {isolation: {"LEVEL": "repeatable-read"}}),
        Variant("serializable", {isolation: {"LEVEL": "serializable"}}),
        Variant("for-update", {isolation: {"LEVEL": "read-committed", "LEAVES": "for-update"}}),
    ],
    claims=[
        # The second doctor reads 25 ms after the first one, who commits after 63 ms: all of 60 shifts, but for those at
        # the edges. A third may meet a busy machine that puts them apart.
        Claim("shifts are left without a doctor", "repeatable-read", "fault", left_empty, at_least=25, control=True),
        *(Claim(f"a doctor stays on call in {p} ({c})", c, p, left_empty, at_most=0) for c in CURES for p in PHASES),
        *(Claim(f"requests are answered in {p} ({c})", c, p, success, at_least=0.98) for c in CURES for p in PHASES),
        # The server's own count: a transaction for each of 40 requests a second, and for each that is made again.
        *(Claim(f"the server runs the transactions ({c})", c, "fault", begun_per_s, at_least=32) for c in CURES),
        # Ten shifts a second. The first request wins; the two that meet it are aborted, 120. At most each of the other
        # three is aborted once, and a third of these twice: 240.
        Claim("the price of serializable: aborts", "serializable", "fault", aborts, at_most=240, price=True),
        # A request waits for those before it: the fourth for three, which hold the lock for 84, 63 and 63 ms and began
        # 75 ms before it: 135 ms, and seven trips of 21 ms: 282. Without a cure the third finds that its row has
        # changed: six trips, a backoff of up to 20 ms, and five trips: 231 to 251 ms. So 1.2 times.
        Claim(
            "the price of the lock: waits", "for-update", "fault", waits, at_most=2, of="repeatable-read", price=True
        ),
        Claim("the lock aborts no transaction", "for-update", "fault", aborts, at_most=0),
    ],
    panels=[Panels.retried, Panels.in_flight],
)
