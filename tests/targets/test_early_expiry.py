"""Early expiry (XFetch): the dice against the paper's formula, and a cache on a clock of its own."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from targets.patterns.early_expiry import dice, due, lead_s

TOOK_S = st.floats(0, 100, allow_nan=False)
THROWN = st.floats(1e-9, 1)


def test_a_throw_never_has_no_logarithm() -> None:
    """Over 0, up to 1."""
    assert all(0 < dice() <= 1 for _ in range(1_000))


def test_the_lead_is_the_papers() -> None:
    """-delta x beta x ln(throw): a throw of 1/e is early by one fetch."""
    assert lead_s(0.2, 1.0, lambda: 1 / math.e) == pytest.approx(0.2)
    assert lead_s(0.2, 3.0, lambda: 1 / math.e) == pytest.approx(0.6)
    assert lead_s(0.2, 1.0, lambda: 1.0) == 0


@given(took_s=TOOK_S, thrown=THROWN, beta=st.floats(0, 10), late_s=st.floats(0, 100))
def test_what_has_expired_is_always_due(took_s: float, thrown: float, beta: float, late_s: float) -> None:
    """No throw saves a value that is past its time."""
    assert due(50.0 + late_s, 50.0, took_s, beta, lambda: thrown)


@given(took_s=TOOK_S, thrown=THROWN, left_s=st.floats(1e-6, 100))
def test_with_beta_0_or_a_fetch_that_took_no_time_nobody_is_early(took_s: float, thrown: float, left_s: float) -> None:
    """Then it is an ordinary expiry."""
    assert not due(50.0 - left_s, 50.0, took_s, 0.0, lambda: thrown)
    assert not due(50.0 - left_s, 50.0, 0.0, 1.0, lambda: thrown)


@given(took_s=TOOK_S, thrown=THROWN, now_s=st.floats(0, 50), later_s=st.floats(0, 50))
def test_the_later_the_likelier(took_s: float, thrown: float, now_s: float, later_s: float) -> None:
    """A throw that is early enough now is so at any later time."""
    if due(now_s, 50.0, took_s, 1.0, lambda: thrown):
        assert due(now_s + later_s, 50.0, took_s, 1.0, lambda: thrown)


def test_the_chance_falls_by_e_with_each_fetch_that_still_fits_in() -> None:
    """Of 100,000 throws with one fetch's time left, 1/e are early; with three, e^-3."""
    rng = Random(1)
    for fetches in (1, 3):
        early = sum(due(10.0 - fetches * 0.2, 10.0, 0.2, 1.0, lambda: 1 - rng.random()) for _ in range(100_000))
        assert early / 100_000 == pytest.approx(math.exp(-fetches), rel=0.05)


@pytest.mark.parametrize(("took_s", "beta", "thrown"), [(-1, 1, 0.5), (1, -1, 0.5), (1, 1, 0), (1, 1, 1.5)])
def test_numbers_that_cannot_be_are_refused(took_s: float, beta: float, thrown: float) -> None:
    """Rather than a fetch for every reader, or for none."""
    with pytest.raises(ValueError, match=r"it takes a number over 0|neither can be negative"):
        lead_s(took_s, beta, lambda: thrown)


@dataclass
class Simulated:
    """A value that lives `ttl_s` from when it was asked for; `per_s` readers a second, fetches of `took_s`."""

    beta: float
    per_s: float = 200.0
    took_s: float = 0.1
    ttl_s: float = 2.0
    fetches: int = 0
    generations: int = 0
    waited: int = 0
    readers: int = 0
    in_the_air: list[tuple[float, float]] = field(default_factory=list)  # when it lands, when it was asked for

    def run(self, seed: int, lasts_s: float) -> Simulated:
        """Every reader fetches who finds nothing, or is early by the dice; nobody knows of the others."""
        rng, at_s = Random(seed), 0.0
        expires_s, stored_s = self.ttl_s, 0.0
        while at_s < lasts_s:
            at_s += rng.expovariate(self.per_s)
            while self.in_the_air and self.in_the_air[0][0] <= at_s:
                lands_s, asked_s = heapq.heappop(self.in_the_air)
                self.generations += stored_s < asked_s
                stored_s, expires_s = lands_s, asked_s + self.ttl_s
            self.readers += 1
            self.waited += at_s >= expires_s
            if due(at_s, expires_s, self.took_s, self.beta, lambda: 1 - rng.random()):
                self.fetches += 1
                heapq.heappush(self.in_the_air, (at_s + self.took_s, at_s))
        return self


def test_without_it_every_reader_of_the_gap_fetches() -> None:
    """Little's law: 200 a second times 0.1 s, and the one that began it."""
    plain = Simulated(beta=0).run(seed=1, lasts_s=600)
    assert plain.fetches / plain.generations == pytest.approx(21, rel=0.1)
    assert plain.waited == plain.fetches


def test_with_it_nobody_waits_and_e_fetches_are_made() -> None:
    """The first one early, and e - 1 who throw the same while it is under way: e = 2.7, whatever the rate."""
    for per_s in (200.0, 2_000.0):
        early = Simulated(beta=1, per_s=per_s).run(seed=1, lasts_s=600)
        assert early.fetches / early.generations == pytest.approx(math.e, rel=0.1)
        assert early.waited < early.readers / 10_000
