"""
Blocking the event loop: one slow line of code, and every request waits behind it.

One request in ten hashes a password, 50 ms of honest work for the CPU. Done on the event loop, everything else stands
still for as long, the health check too; handed to a thread, the loop goes on answering.
"""

from random import Random

from lab import (
    Claim,
    Exercise,
    Invariant,
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

backoffice = Service("backoffice", env={"HASH_MS": 50})


def login(rng: Random, n: int) -> Request:
    """A login with an id of its own, so that it can be found again."""
    return Request("POST", "/logins", {"id": f"login-{n}", "password": f"{rng.random()}"}, key=f"login-{n}")


scenario = Scenario(
    title="Blocking the event loop",
    handbook=["1.1.4", "9.1.1"],
    question="Who waits while one request in ten computes for 50 ms?",
    services=[backoffice],
    load=Load(
        [
            Operation("POST /logins", login, weight=1),
            Operation("GET /orders", lambda rng, n: Request("GET", "/orders"), weight=6),
            Operation("GET /healthz", lambda rng, n: Request("GET", "/healthz"), weight=3),
        ],
        to=backoffice,
        per_s=50,
        arrivals="poisson",
    ),
    phases=[Phase("load", lasts_s=30)],
    variants=[
        Variant("inline", {backoffice: {"HASHING": "inline"}}),
        # One thread: more of them would hash on every core there is, and the loop would wait for a core instead.
        Variant("executor", {backoffice: {"HASHING": "executor", "HASH_THREADS": 1}}),
    ],
    claims=[
        # 5 logins/s x 50 ms hold the loop for a quarter of the time: a check that comes meanwhile waits 25 ms in the
        # middle, and the unluckiest of a hundred nearly all of the 50 ms, or longer behind two logins.
        Claim(
            "a light request waits for the hash",
            "inline",
            "load",
            metrics.p99_ms("GET /healthz"),
            at_least=40,
            control=True,
        ),
        # The thread holds a core and not the loop: what is left is a light request's own 1 to 2 ms, and now and
        # then the system's scheduler with more to run than it has cores.
        Claim("a light request does not wait", "executor", "load", metrics.p99_ms("GET /healthz"), at_most=20),
        Claim("nothing fails", "executor", "load", metrics.success_ratio(), at_least=0.999),
    ],
    invariants=[Invariant("each login is done once", checkers.ask("exactly_once", readback="logins"))],
    readbacks=[Readback("logins", backoffice, "/logins/keys")],
    profile=[backoffice],
    panels=[
        Panel("Event-loop lag", "max by (service) (event_loop_lag_seconds)", unit="s", legend="{{service}}", live=True),
        Panel("Requests in flight", "sum by (service) (http_server_active_requests)", legend="{{service}}"),
        Panel("CPU of the backoffice", 'rate(process_cpu_seconds_total{service="backoffice"}[5s])', legend="cores"),
    ],
    idea=(
        "An event loop is one thread that gives each request its turn. A turn ends where the code awaits; code that "
        "computes, or calls something that blocks, keeps the turn until it is done, and nothing else runs: no "
        "request, no timer, no health check. Throughput hardly shows it, and the mean little; the tail of the light "
        "requests does. The way out is to leave the loop: a thread where the work releases the interpreter's lock "
        "(hashing, compression, most I/O), a process where it does not."
    ),
    predict=[
        "5 logins a second, 50 ms each: for what share of the time is the loop held, and what p50 and p99 follow?",
        "Which latency does the login itself have in each variant? Who gained, and did anyone lose?",
        "What would an orchestrator do whose liveness probe has a time-out of 30 ms?",
    ],
    look_at=[
        "The heat map of the control: light requests smeared upwards to 50 ms; with the executor, two thin bands.",
        "Event-loop lag: the same 50 ms, seen from inside, without any request.",
        "The flame graphs: does `hash_password` have another share? A CPU profile shows who computes, not who waits.",
    ],
    exercises=[
        Exercise(
            "Hash for 200 ms. At which rate of logins do two threads no longer keep up, and what breaks then?",
            "HASH_MS",
        ),
        Exercise("Give the executor four threads. Who gains, and who waits for a core now?", "HASH_THREADS"),
        Exercise(
            "Let the statements be drawn up in the executor as well: why does it not help? (the lock)",
            "targets/backoffice.py",
        ),
    ],
)
