"""
Find the culprit: a profile names the function that a latency graph cannot.

Statements are slow, and nothing in the metrics says why. The flame graph does: one function has most of the time.
The fixed variant gives the same answers without it.
"""

from lab import Claim, Phase, Scenario, Variant, metrics
from scenarios.systems.statements import Panels, backoffice, statements

CULPRIT = "balance_at"
share = metrics.profile_share(backoffice, CULPRIT)
samples = metrics.profile_per_request(backoffice, CULPRIT)
place = metrics.profile_fall_rank(backoffice, CULPRIT, since="slow")

scenario = Scenario(
    title="Find the culprit",
    handbook="9.1.1",
    question="Which function makes statements slow?",
    services=[backoffice],
    load=statements(per_s=40, arrivals="poisson"),
    # A share takes 50 samples, and `fixed` is on the CPU for 2.4 of 100 in a second: 84, with a deviation of 9.
    phases=[Phase("load", lasts_s=35)],
    variants=[
        Variant("slow", {backoffice: {"STATEMENTS": "slow"}}),
        Variant("fixed", {backoffice: {"STATEMENTS": "fixed"}}),
    ],
    claims=[
        # 180,000 additions against what a request takes otherwise: 0.64 to 0.81 were measured, on a machine with much
        # else to do and with little. With 300 samples a share of 0.7 is known to 0.05 either way.
        Claim("the culprit has most of the time", "slow", "load", share, at_least=0.5, control=True),
        # Samples per request, and not shares: a share also moves when something else does. All of the culprit's go, and
        # a tenth of them is left to what a profile of two hundred samples cannot tell.
        Claim("the culprit's samples per request are gone", "fixed", "load", samples, at_most=0.1, of="slow"),
        Claim("the difference points at the culprit", "fixed", "load", place, at_most=1),
        # What is left is to read 600 numbers and to answer: a fifth of the time, and of the CPU a quarter, since some
        # of that goes into metrics, logs and the loop itself. Where the culprit has half of the time, half is left.
        Claim("statements are quick", "fixed", "load", metrics.p50_ms(of="ok"), at_most=0.5, of="slow"),
        # The system counts the CPU time, not the profiler; both variants draw up the same statements.
        Claim("statements cost less CPU", "fixed", "load", metrics.cpu_share(backoffice), at_most=0.5, of="slow"),
        Claim("requests succeed (fixed)", "fixed", "load", metrics.success_ratio(), at_least=0.999),
        Claim("requests succeed (slow)", "slow", "load", metrics.success_ratio(), at_least=0.999),
    ],
    profile=[backoffice],
    panels=[Panels.cpu, Panels.loop_lag],
)
