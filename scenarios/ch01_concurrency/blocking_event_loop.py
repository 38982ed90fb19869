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
        # 5 logins a second hold the loop for 50 ms each, a quarter of the time. Whoever comes meanwhile waits for the
        # rest of it: 1 in 20 has 40 ms or more before it, and some have two logins before them.
        Claim("a health check waits", "inline", "load", metrics.p99_ms(HEALTH, of="all"), at_least=40, control=True),
        # It takes 1 ms by itself. What else there is comes from the machine; the experiment asks for no more than that
        # nobody waits for a login.
        Claim("a health check does not wait", "executor", "load", metrics.p99_ms(HEALTH, of="all"), at_most=20),
        # The call takes what it takes: a thread makes it no faster. What a login gains is not to wait for others.
        Claim(
            "a login still takes its 50 ms", "executor", "load", metrics.p50_ms("POST /logins", of="ok"), at_least=50
        ),
        Claim("nothing fails", "executor", "load", metrics.success_ratio(), at_least=0.999),
    ],
    invariants=[
        Invariant("each login opens one session", checkers.ask("exactly_once", readback="sessions")),
        Invariant("each login is answered with its own session", checkers.ask("as_expected")),
    ],
    readbacks=[Readback("sessions", logins, "/logins/keys")],
    panels=[
        Panel("Event-loop lag", "max by (service) (event_loop_lag_seconds)", unit="s", legend="{{service}}", live=True),
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
        "for what blocks, a process for what computes in Python."
    ),
    predict=[
        "5 logins a second, 50 ms each: for what share of the time is the loop held, and what p50 and p99 follow?",
        "Which latency do the logins have in each variant? Why are some of them slow inline?",
        "What would an orchestrator do whose liveness probe has a time-out of 30 ms?",
    ],
    look_at=[
        "The heat map of the control: light requests smeared upwards to 50 ms; with the executor, two thin bands.",
        "Event-loop lag: the same 50 ms, seen from inside, without any request.",
        "p99 by the service's own clock: `/sessions` is quick in both. That clock starts when the loop is free again.",
        "CPU: hardly a difference. The loop was not busy, it was held.",
    ],
    exercises=[
        Exercise("A directory that takes 150 ms: at which rate of logins is the loop always held?", "CHECK_MS"),
        Exercise("One thread. Who waits now, behind whom, and who still does not?", "CLIENT_THREADS"),
        Exercise("Add 200 ms to the way to the directory. Which variant is alive?", "faults.latency(check, ms=200)"),
    ],
)
