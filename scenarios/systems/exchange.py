"""
The exchange: it takes trades, payments charges them, the ledger books them and copies each to its standby.

    client -> exchange -> (charge) -> payments -> (book) -> ledger -> (copy) -> standby

An experiment takes the links that it needs, from the left; what none of its links leads to is not started.
"""

from random import Random
from typing import Literal

from lab import Invariant, Link, Load, Operation, Panel, Readback, Request, Service, checkers

exchange = Service("exchange")
payments = Service("payments")
ledger = Service("ledger")
standby = Service("standby", module="ledger")
charge, book, copy = Link(exchange, payments), Link(payments, ledger), Link(ledger, standby)

NEW_TRADE = "POST /trades"


def trade(rng: Random, n: int) -> Request:
    """A trade with an id of its own, so that its charge can be found again; the id alone decides its terms."""
    body = {"id": f"trade-{n}", "buyer": "ann", "seller": "bob", "amount_cents": 100 + n}
    return Request("POST", "/trades", body, key=f"trade-{n}")


def again(rng: Random, n: int) -> Request:
    """A client that got no answer repeats its trade under the same id, 50 or 1,250 arrivals later.

    The schedule is fixed beforehand, so trades that were answered are repeated too: the exchange knows their charge.
    """
    return trade(rng, max(n - rng.choice((50, 1_250)), n % 50))


charges, entries = Readback("charges", payments, "/charges/keys"), Readback("entries", ledger, "/entries/keys")
charged_once = Invariant("an acknowledged trade is charged exactly once", checkers.exactly_once(charges))
booked_once = Invariant("an acknowledged trade is booked exactly once", checkers.exactly_once(entries))


def market(per_s: float, arrivals: Literal["uniform", "poisson"] = "uniform") -> Load:
    """Of ten arrivals seven are new trades, two repeat an earlier one, and one needs no payments."""
    mix: list[str | Operation] = [
        Operation(NEW_TRADE, trade, 7),
        Operation("POST /trades again", again, 2),
        "GET /trades",
    ]
    return Load(mix, exchange, per_s, arrivals, readbacks=[charges], invariants=[charged_once])


def booked_trades(per_s: float, arrivals: Literal["uniform", "poisson"] = "uniform") -> Load:
    """New trades alone, each to be charged and booked once."""
    return Load(
        Operation(NEW_TRADE, trade),
        exchange,
        per_s,
        arrivals,
        readbacks=[charges, entries],
        invariants=[charged_once, booked_once],
    )


class Panels:
    """What shows this system."""

    breaker = Panel(
        "Breaker", "max by (peer) (breaker_state)", values={0: "closed", 1: "half-open", 2: "open"}, live=True
    )
    calls_to_payments = Panel(
        "Calls to payments",
        'sum by (error_type) (rate(http_client_request_duration_seconds_count{peer="payments"}[5s]))',
        unit="reqps",
    )
    waiting_for_payments = Panel("Waiting for payments", "sum by (peer) (http_client_active_requests)")
    trades_by_answer = Panel(
        "Trades by answer",
        'sum by (http_response_status_code) (rate(http_server_request_duration_seconds_count{service="exchange"}[5s]))',
        unit="reqps",
    )
    loop_lag = Panel("Event-loop lag", "max by (service) (event_loop_lag_seconds)", unit="s")
    attempts_by_hop = Panel(
        "Attempts by hop",
        "sum by (peer) (rate(http_client_request_duration_seconds_count[5s]))",
        unit="reqps",
        legend="to {{peer}}",
        live=True,
    )
    waiting_at_the_ledger = Panel(
        "Waiting at the ledger", 'max(ledger_waiting{service="ledger"})', legend="bookings", live=True
    )
    repeated_work = Panel(
        "Work for bookings that are in the books already",
        'rate(ledger_repeated_total{service="ledger"}[5s])',
        unit="reqps",
        legend="done again",
    )
    retries_denied = Panel(
        "Retries denied by the budget",
        "sum by (service) (rate(retries_denied_total[5s]))",
        unit="reqps",
        legend="{{service}}",
    )
