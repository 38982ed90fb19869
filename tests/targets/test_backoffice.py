"""The backoffice, on a real socket, and its two ways to the same balances."""

from __future__ import annotations

import pytest
from aiohttp import ClientSession
from hypothesis import given
from hypothesis import strategies as st
from target_bench import Start

from targets import backoffice

pytestmark = pytest.mark.e2e

BOOKINGS = [300, -500, 200, 100]


@given(st.lists(st.integers(-10_000, 10_000), min_size=1, max_size=50))
def test_both_ways_lead_to_the_same_balances(amounts_cents: list[int]) -> None:
    """The fixed statement says what the slow one says, and both what plain sums say."""
    balances = [sum(amounts_cents[: day + 1]) for day in range(len(amounts_cents))]
    right = backoffice.Statement(balances[-1], min(balances))
    assert backoffice.slow_statement(amounts_cents) == backoffice.fixed_statement(amounts_cents) == right


@pytest.mark.parametrize("statements", ["slow", "fixed"])
async def test_a_statement_has_the_closing_and_the_lowest_balance(
    http: ClientSession, start: Start, statements: str
) -> None:
    """Whichever way it is drawn up."""
    settings = backoffice.BackofficeSettings(service_name="backoffice", statements=statements)  # type: ignore[arg-type]
    target = await start(settings, backoffice.build)
    async with http.post(f"{target.url}/statements", json={"amounts_cents": BOOKINGS}) as response:
        assert response.status == 200
        assert await response.json() == {"closing_cents": 100, "lowest_cents": -200}


async def test_there_is_no_statement_about_nothing(http: ClientSession, start: Start) -> None:
    """An empty list of bookings is refused."""
    target = await start(backoffice.BackofficeSettings(service_name="backoffice"), backoffice.build)
    async with http.post(f"{target.url}/statements", json={"amounts_cents": []}) as response:
        assert response.status == 422
