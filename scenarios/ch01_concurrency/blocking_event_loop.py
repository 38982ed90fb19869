"""
Blocking the event loop: one synchronous call, and every request waits behind it.

One request in ten is a login, for which a directory is asked; it takes 50 ms to answer. Asked by a synchronous client
on the event loop, everything else stands still for as long, the health check too; asked from a thread, nobody waits.
"""

from json import dumps
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
    metrics,
)

logins = Service("logins")
directory = Service("directory", env={"CHECK_MS": 50})
check = Link(logins, directory)
HEALTH = "GET /healthz"
LAG = "Lag of the logins' loop"
# Of all checks, also those that were refused or given up: the load knows what they waited for.
health_p99 = metrics.p99_ms(HEALTH, of="all")
checks_per_s = metrics.counter_per_s(directory, "http_server_request_duration_seconds_count", http_route="/checks")


def login(rng: Random, n: int) -> Request:
    """A login with an id of its own, so that its session can be found again, and whose it must be."""
    name = rng.choice(["ann", "bob", "cleo", "dan"])
    asked = {"id": f"login-{n}", "name": name}
    right = dumps(asked)
    body = {**asked, "password": f"password of {name}"}
    return Request("POST", "/logins", body, key=f"login-{n}", value=right, keep_response=True)


scenario = Scenario(
    title="Blocking the event loop",
    handbook="1.1.4",
    question="Who waits while one request in ten makes a synchronous call of 50 ms?",
    links=[check],
    load=Load(
        [
            Operation("POST /logins", login, weight=1),
            Operation("GET /sessions", lambda rng, n: Request("GET", "/sessions"), weight=5),
            Operation(HEALTH, lambda rng, n: Request("GET", "/healthz"), weight=4),
        ],
        to=logins,
        per_s=50,
        arrivals="poisson",
    ),
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
        Claim("the loop's own timer is late", "inline", "load", metrics.panel_max(LAG), at_least=45, control=True),
        # It takes 1 ms by itself. What else there is comes from the machine, and a login that still held the loop
        # for all of its time would be over 50.
        Claim("a health check does not wait", "executor", "load", health_p99, at_most=20),
        # The call takes what it takes: a thread makes it no faster. What a login gains is not to wait for others: four
        # threads for 0.25 calls on average. Inline each tenth login waits for another one, 90 ms in all by simulation.
        Claim(
            "a login still takes its 50 ms", "executor", "load", metrics.p50_ms("POST /logins", of="ok"), at_least=50
        ),
        Claim("and waits for no other login", "executor", "load", metrics.p90_ms("POST /logins", of="ok"), at_most=70),
        # The work. 1 in 1,000 is left to the machine. The directory counts the checks that it was asked for: 5/s, 150
        # in 30 s, with a deviation of 12. Fewer than 3/s, and passwords were not checked.
        Claim("nothing fails", "executor", "load", metrics.success_ratio(), at_least=0.999),
        Claim("nothing fails inline either", "inline", "load", metrics.success_ratio(), at_least=0.999),
        Claim("the directory is asked (inline)", "inline", "load", checks_per_s, at_least=3),
        Claim("the directory is asked (executor)", "executor", "load", checks_per_s, at_least=3),
    ],
    invariants=[
        Invariant("each login opens one session", checkers.ask("exactly_once", readback="sessions")),
        Invariant("each login is answered with its own session", checkers.ask("as_expected")),
    ],
    readbacks=[Readback("sessions", logins, "/logins/keys")],
    panels=[
        Panel(LAG, '1000 * max(event_loop_lag_seconds{service="logins"})', unit="ms", legend="logins", live=True),
        Panel(
            "p99 by the service's own clock",
            "histogram_quantile(0.99, sum by (le, http_route)"
            ' (rate(http_server_request_duration_seconds_bucket{service="logins"}[10s])))',
            unit="s",
            legend="{{http_route}}",
        ),
        Panel("CPU", "sum by (service) (rate(process_cpu_seconds_total[5s]))", legend="{{service}}, cores"),
    ],
    idea=(
        "An event loop is one thread that gives each request its turn. A turn ends where the code awaits; code that "
        "blocks, in a synchronous client, a lock, a file or a long computation, keeps the turn until it is done, and "
        "nothing else runs: no request, no timer, no health check. Throughput hardly shows it, and CPU time not at "
        "all; the tail of the light requests does. The way out is to leave the loop: an asynchronous client, a thread "
        "for what blocks, a process for what computes in Python. A thread pool is not the end of it. The pool is the "
        "next queue: with 4 threads and calls of 50 ms it serves 80 logins a second, and beyond that they wait in "
        "front of it, unseen by the loop's lag. And a timeout does not stop a thread: a caller that gives up on "
        "`run_in_executor` leaves the call running, so a directory that hangs takes all threads, one call each. Give "
        "the blocking client a timeout of its own, bound the pool's queue, and use a pool for each dependency."
    ),
    predict=[
        "5 logins a second, 50 ms each: for what share of the time is the loop held, and what p50 and p99 follow?",
        "Which latency do the logins have in each variant? Why are some of them slow inline?",
        "A Kubernetes liveness probe waits at least 1 s. Inline: how slow must the directory be for it to fail?",
    ],
    look_at=[
        "The heat map of the control: a quarter of the light requests smeared upwards, 1 in 27 beyond 50 ms, where two "
        "logins were before them; with the executor, two thin bands.",
        "Lag of the logins' loop: the same 50 ms and more, seen from inside, without any request.",
        "p99 by the service's own clock: `/sessions` is quick in both. That clock starts when the loop is free again.",
        "CPU: hardly a difference. The loop was not busy, it was held.",
    ],
    exercises=[
        Exercise("A directory that takes 150 ms: at which rate of logins is the loop always held?", "CHECK_MS"),
        Exercise("One thread. Which requests wait now, behind which others, and which still do not?", "CLIENT_THREADS"),
        Exercise("Add 200 ms to the way to the directory. Which variant is alive?", "faults.latency(check, ms=200)"),
    ],
)
