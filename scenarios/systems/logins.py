"""
Logins: a service that opens sessions, and asks a directory whether the password is right.

    client -> logins -> (check) -> directory
"""

from json import dumps
from random import Random
from typing import Literal

from lab import Invariant, Link, Load, Operation, Panel, Readback, Request, Service, checkers

logins, directory = Service("logins"), Service("directory")
check = Link(logins, directory)
HEALTH, LOGIN = "GET /healthz", "POST /logins"


def login(rng: Random, n: int) -> Request:
    """A login with an id of its own, so that its session can be found again, and whose it must be."""
    name = rng.choice(["ann", "bob", "cleo", "dan"])
    asked = {"id": f"login-{n}", "name": name}
    right = dumps(asked)
    body = {**asked, "password": f"password of {name}"}
    return Request("POST", "/logins", body, key=f"login-{n}", value=right, keep_response=True)


sessions = Readback("sessions", logins, "/logins/keys")
one_session = Invariant("each login opens one session", checkers.exactly_once(sessions))
its_own = Invariant("each login is answered with its own session", checkers.as_expected())


def one_login_in_ten(per_s: float, arrivals: Literal["uniform", "poisson"] = "uniform") -> Load:
    """Of ten arrivals one is a login, five list sessions and four are health checks."""
    mix = [
        Operation(LOGIN, login, weight=1),
        Operation("GET /sessions", lambda rng, n: Request("GET", "/sessions"), weight=5),
        Operation(HEALTH, lambda rng, n: Request("GET", "/healthz"), weight=4),
    ]
    return Load(mix, logins, per_s, arrivals, readbacks=[sessions], invariants=[one_session, its_own])


class Panels:
    """What shows this system."""

    loop_lag = Panel(
        "Lag of the logins' loop",
        '1000 * max(event_loop_lag_seconds{service="logins"})',
        unit="ms",
        legend="logins",
        live=True,
    )
    p99_by_route = Panel(
        "p99 by the service's own clock",
        "histogram_quantile(0.99, sum by (le, http_route)"
        ' (rate(http_server_request_duration_seconds_bucket{service="logins"}[10s])))',
        unit="s",
        legend="{{http_route}}",
    )
    cpu = Panel("CPU", "sum by (service) (rate(process_cpu_seconds_total[5s]))", legend="{{service}}, cores")
