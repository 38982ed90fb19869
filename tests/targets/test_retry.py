"""Retry, back-off and budget, on a fake clock and loaded dice."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from targets.patterns.retry import Backoff, Budget, Retry


class Down(Exception):
    """What a failed attempt raises."""


class Book:
    """Notes what was asked of it: attempts, waits, retries, denials."""

    def __init__(self, *outcomes: bool) -> None:
        self.outcomes = list(outcomes)
        self.waits_s: list[float] = []
        self.attempts = self.retries = self.denials = 0

    async def attempt(self) -> str:
        self.attempts += 1
        if self.outcomes.pop(0):
            return f"attempt {self.attempts}"
        raise Down

    async def sleep(self, wait_s: float) -> None:
        self.waits_s.append(wait_s)

    def retried(self) -> None:
        self.retries += 1

    def denied(self) -> None:
        self.denials += 1


def highest(low: float, high: float) -> float:
    """Dice that always fall on the longest wait."""
    return high


def retry(book: Book, retries: int, backoff: Backoff, budget: Budget | None = None) -> Retry:
    """A retry that writes its doings into the book."""
    return Retry(retries, backoff, budget, listener=book, sleep=book.sleep, uniform=highest)


def always(error: Exception) -> bool:
    """Whether another attempt makes sense: here, whenever the other side was down."""
    return isinstance(error, Down)


async def test_the_first_success_ends_it() -> None:
    """Two failures, a success: three attempts, two of them retries."""
    book = Book(False, False, True)
    assert await retry(book, 3, Backoff(0)).call(book.attempt, always) == "attempt 3"
    assert (book.attempts, book.retries, book.waits_s) == (3, 2, [])


async def test_the_last_error_is_told() -> None:
    """Three retries are four attempts, and no more."""
    book = Book(*[False] * 9)
    with pytest.raises(Down):
        await retry(book, 3, Backoff(0)).call(book.attempt, always)
    assert book.attempts == 4


async def test_what_is_not_worth_it_is_not_repeated() -> None:
    """An error that another attempt cannot help ends it at once, and costs the budget nothing."""
    book, budget = Book(False, True), Budget(0.1, reserve=1)
    with pytest.raises(Down):
        await retry(book, 3, Backoff(0), budget).call(book.attempt, lambda _: False)
    assert (book.attempts, book.denials, budget.tokens) == (1, 0, 1)


async def test_waits_double_up_to_the_cap() -> None:
    """Drawn at their longest: base, twice, four times, then the cap."""
    book = Book(*[False] * 6)
    with pytest.raises(Down):
        await retry(book, 4, Backoff(0.1, 0.5)).call(book.attempt, always)
    assert book.waits_s == [0.1, 0.2, 0.4, 0.5]


def test_a_wait_is_drawn_from_nothing_to_the_longest() -> None:
    """Full jitter: the dice are thrown between 0 and the doubled base."""
    thrown: list[tuple[float, float]] = []

    def dice(low: float, high: float) -> float:
        thrown.append((low, high))
        return low

    assert [Backoff(0.1, 1).wait_s(n, dice) for n in (1, 2, 9)] == [0, 0, 0]
    assert thrown == [(0, 0.1), (0, 0.2), (0, 1)]


async def test_a_budget_of_a_tenth_allows_one_retry_in_ten_requests() -> None:
    """100 requests that all fail: the reserve, then a tenth of them; each retry left out is told."""
    budget, attempts, denials = Budget(0.1, reserve=2), 0, 0
    for _ in range(100):
        book = Book(False, False)
        with pytest.raises(Down):
            await retry(book, 1, Backoff(0), budget).call(book.attempt, always)
        attempts += book.attempts
        denials += book.denials
    assert attempts - 100 == 11  # 2 held, and 100 x 0.1 less the last one's fraction and what overflowed at first
    assert denials == 100 - 11


def test_the_bucket_never_holds_more_than_its_reserve() -> None:
    """A long quiet stretch earns no more than the reserve."""
    budget = Budget(0.5, reserve=3)
    for _ in range(100):
        budget.request()
    assert [budget.spend() for _ in range(4)] == [True, True, True, False]


@pytest.mark.parametrize(
    "make", [lambda: Backoff(-1), lambda: Backoff(2, 1), lambda: Budget(0), lambda: Budget(0.1, reserve=0.5)]
)
def test_numbers_that_cannot_be_are_refused(make: Callable[[], object]) -> None:
    """With a sentence that names them."""
    with pytest.raises(ValueError, match="it takes"):
        make()
