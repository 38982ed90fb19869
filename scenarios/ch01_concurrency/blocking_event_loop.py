"""
Blocking the event loop: one synchronous call, and every request waits behind it.

One request in ten is a login, for which a directory is asked; it takes 50 ms to answer. Asked by a synchronous client
on the event loop, everything else stands still for as long, the health check too. Asked from a thread, no other
request waits.
"""

from lab import Claim, Phase, Scenario, Variant, metrics
from scenarios.systems.logins import HEALTH, LOGIN, Panels, check, directory, logins, one_login_in_ten

# Of all checks, also those that were refused or given up: the load knows what they waited for.
health_p99 = metrics.p99_ms(HEALTH, of="all")
loop_late_ms = metrics.panel_max(Panels.loop_lag.title)
checks_per_s = metrics.counter_per_s(directory, "http_server_request_duration_seconds_count", http_route="/checks")

scenario = Scenario(
    title="Blocking the event loop",
    handbook="1.1.4",
    question="Who waits while one request in ten makes a synchronous call of 50 ms?",
    links=[check],
    load=one_login_in_ten(per_s=50, arrivals="poisson"),
    settings={directory: {"CHECK_MS": 50}},
    phases=[Phase("load", lasts_s=30)],
    variants=[
        Variant("inline", {logins: {"CLIENT": "inline"}}),
        Variant("executor", {logins: {"CLIENT": "executor"}}),
    ],
    claims=[
        # 5 logins a second hold the loop for 50 ms each: an M/D/1 queue, busy for a quarter of the time. By its
        # distribution 3.7 % of health checks wait longer than 50 ms, behind more than one login; the p99 is 83 ms. Of
        # 1,500 simulated loads of this length one in a thousand had a p99 below 52.
        Claim("a health check waits", "inline", "load", health_p99, at_least=50, control=True),
        # The load is one witness; the loop's own timer, which no request and no generator touches, is the other.
        # Something in the last second held it for a login's whole time. Without blocking it is late by a few ms.
        Claim(
            "the loop's own timer is late",
            "inline",
            "load",
            loop_late_ms,
            at_least=45,
            control=True,
        ),
        # It takes 1 ms by itself. What else there is comes from the machine, and a login that still held the loop
        # for all of its time would be over 50.
        Claim("a health check does not wait", "executor", "load", health_p99, at_most=20),
        # The call takes what it takes: a thread makes it no faster. What a login gains is not to wait for others: four
        # threads for 0.25 calls on average. Inline each tenth login waits for another one, 90 ms in all by simulation.
        Claim(
            "the price: a login is no faster",
            "executor",
            "load",
            metrics.p50_ms(LOGIN, of="ok"),
            at_least=50,
            price=True,
        ),
        Claim("a login waits for no other login", "executor", "load", metrics.p90_ms(LOGIN, of="ok"), at_most=70),
        # The work. 1 in 1,000 is left to the machine. The directory counts the checks that it was asked for: 5/s, 150
        # in 30 s, with a deviation of 12. Fewer than 3/s, and passwords were not checked.
        Claim("requests succeed (executor)", "executor", "load", metrics.success_ratio(), at_least=0.999),
        Claim("requests succeed (inline)", "inline", "load", metrics.success_ratio(), at_least=0.999),
        Claim("the directory is asked (inline)", "inline", "load", checks_per_s, at_least=3),
        Claim("the directory is asked (executor)", "executor", "load", checks_per_s, at_least=3),
    ],
    panels=[Panels.loop_lag, Panels.p99_by_route, Panels.cpu],
)
