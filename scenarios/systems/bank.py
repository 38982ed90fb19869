"""
Bank: moves money between accounts in PostgreSQL, and takes deposits.

    client -> bank -> (to_postgres) -> postgres
"""

from collections.abc import Callable, Sequence
from json import dumps
from random import Random

from lab import Backing, Invariant, Link, Load, Operation, Panel, Readback, Request, Service, checkers, metrics

bank, postgres = Service("bank"), Backing("postgres")
to_postgres = Link(bank, postgres)
TRANSFER, DEPOSIT = "POST /transfers", "POST /deposits"
OPENING_CENTS = 100_000

books = Readback("books", bank, "/books")


def transfer(among: int) -> Callable[[Random, int], Request]:
    """Money between two of the first `among` accounts, with an id of its own, so that its halves can be found."""

    def make(rng: Random, n: int) -> Request:
        payer, payee = rng.sample(range(1, among + 1), 2)
        asked = {"payer": payer, "payee": payee, "cents": rng.randrange(1, 1_000)}
        value = dumps({**asked, "payer": f"account {payer}", "payee": f"account {payee}"})
        return Request("POST", "/transfers", {"id": f"transfer-{n}", **asked}, key=f"transfer-{n}", value=value)

    return make


def deposit(rng: Random, n: int) -> Request:
    """Money that is paid in, with an id of its own, so that its row can be found."""
    cents = rng.randrange(1, 1_000)
    return Request("POST", "/deposits", {"id": f"deposit-{n}", "cents": cents}, key=f"deposit-{n}", value=str(cents))


def transfers(per_s: float, *, among: int = 100, halves: Sequence[str] = ()) -> Load:
    """Transfers between some of 100 accounts. The variants named in `halves` must break the conservation of money."""
    conserved = Invariant(
        "money is conserved",
        checkers.conserved(TRANSFER, books, opening=OPENING_CENTS),
        broken_in=halves,
    )
    mix = Operation(TRANSFER, transfer(among))
    return Load(mix, bank, per_s, "poisson", readbacks=[books], invariants=[conserved])


def deposits(per_s: float, *, loses: Sequence[str] = ()) -> Load:
    """Deposits, a row each. The variants named in `loses` must lose acknowledged ones."""
    kept = Invariant(
        "acknowledged deposits are there after recovery",
        checkers.recovered(books, at="deposits", operation=DEPOSIT),
        broken_in=loses,
    )
    return Load(Operation(DEPOSIT, deposit), bank, per_s, "poisson", readbacks=[books], invariants=[kept])


halved = metrics.keys_listed("books", at="halves")
# What the server counts itself; the bank rolls back only where the server has aborted a transaction.
ROLLED_BACK = metrics.counter_increase(postgres, "pg_stat_statements_calls", command="ROLLBACK")


def _answers(route: str) -> str:
    asked = f'http_server_request_duration_seconds_count{{http_route="{route}"}}'
    return f"sum by (http_response_status_code) (rate({asked}[5s]))"


class Panels:
    """What shows this system."""

    answers = Panel(
        "Transfers by answer",
        _answers("/transfers"),
        unit="reqps",
        legend="{{http_response_status_code}}",
        live=True,
    )
    deposit_answers = Panel(
        "Deposits by answer",
        _answers("/deposits"),
        unit="reqps",
        legend="{{http_response_status_code}}",
        live=True,
    )
    retried = Panel("Transfers retried", 'sum(rate(retries_total{service="bank"}[5s]))', unit="ops", legend="retries")
    in_flight = Panel(
        "In flight",
        'sum by (http_route) (http_server_active_requests{http_route=~"/(transfers|deposits)"})',
        legend="{{http_route}}",
    )
