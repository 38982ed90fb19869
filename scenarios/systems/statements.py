"""
Statements: the backoffice works out balances, and nothing but its own processor is in the way.

    client -> backoffice
"""

from itertools import accumulate
from json import dumps
from random import Random
from typing import Literal

from lab import Invariant, Load, Operation, Panel, Request, Service, checkers

backoffice = Service("backoffice")
BOOKINGS = 600  # 180,000 additions for the slow variant: some milliseconds of Python


def statement(rng: Random, n: int) -> Request:
    """A statement over bookings of its own, with the answer worked out beforehand."""
    amounts_cents = [rng.randrange(-10_000, 10_001) for _ in range(BOOKINGS)]
    balances = list(accumulate(amounts_cents))
    right = dumps({"closing_cents": balances[-1], "lowest_cents": min(balances)})
    return Request("POST", "/statements", {"amounts_cents": amounts_cents}, value=right, keep_response=True)


same_balances = Invariant("the same bookings give the same balances", checkers.as_expected())


def statements(per_s: float, arrivals: Literal["uniform", "poisson"] = "uniform") -> Load:
    """Statements, each to be answered with the balances worked out beforehand."""
    return Load(Operation("POST /statements", statement), backoffice, per_s, arrivals, invariants=[same_balances])


class Panels:
    """What shows this system."""

    cpu = Panel(
        "CPU of the backoffice",
        'rate(process_cpu_seconds_total{service="backoffice"}[5s])',
        legend="cores",
        live=True,
    )
    loop_lag = Panel("Event-loop lag", "max by (service) (event_loop_lag_seconds)", unit="s", legend="{{service}}")
