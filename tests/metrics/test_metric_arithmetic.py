"""The arithmetic below the metrics, against the slowest and plainest way to say the same."""

from __future__ import annotations

from math import comb
from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lab.metrics.arithmetic import bad_windows, beyond_chance, first_run, longest_gap_s, most_at_once, nearest_rank

WAITS = st.lists(st.tuples(st.integers(0, 50).map(float), st.booleans()), min_size=1, max_size=60)
PER_MILLE = st.sampled_from([1, 70, 500, 900, 950, 990, 999, 1000])
# Eighths of a second are exact in binary, so that the plain way and ours meet the same edges.
EIGHTHS = st.integers(0, 80).map(lambda k: k / 8)


def _plain_rank(samples: list[float], per_mille: int) -> float:
    return min(s for s in samples if 1000 * sum(other <= s for other in samples) >= per_mille * len(samples))


@given(WAITS, PER_MILLE)
def test_the_rank_is_the_smallest_sample_that_enough_samples_do_not_exceed(
    waits: list[tuple[float, bool]], per_mille: int
) -> None:
    """Nearest rank is the smallest sample that at least that share of samples does not exceed."""
    samples = [wait for wait, _ in waits]
    value, _ = nearest_rank(np.array(samples), np.ones(len(samples), dtype=bool), per_mille)
    assert value == _plain_rank(samples, per_mille)


@given(WAITS, PER_MILLE, st.randoms())
def test_however_long_the_unanswered_really_took_the_true_percentile_is_not_below(
    waits: list[tuple[float, bool]], per_mille: int, random: Random
) -> None:
    """A censored percentile is a lower bound; one that is not censored is exact, whatever the unanswered took."""
    at_least, known = np.array([w for w, _ in waits]), np.array([k for _, k in waits])
    value, censored = nearest_rank(at_least, known, per_mille)
    for _ in range(5):
        true = _plain_rank([w if k else w + random.randint(0, 60) for w, k in waits], per_mille)
        assert true >= value
        assert censored or true == value
    endless = _plain_rank([w if k else float("inf") for w, k in waits], per_mille)
    assert censored == (endless > value)


@given(st.integers(1, 60), st.sampled_from([0.01, 0.05, 0.3]), st.sampled_from([0.01, 1e-4]))
def test_beyond_chance_is_what_the_binomial_distribution_says(n: int, share: float, chance: float) -> None:
    """So many failures or more come with a probability below `chance`, and one fewer do not."""

    def at_least(k: int) -> float:
        return sum(comb(n, j) * share**j * (1 - share) ** (n - j) for j in range(k, n + 1))

    k = beyond_chance(n, share, chance)
    assert at_least(k) < chance <= at_least(k - 1)


def test_beyond_chance_at_its_ends() -> None:
    """A system that never fails shows no failure by chance; one that always fails shows any number."""
    assert beyond_chance(50, 0.0, 1e-4) == 1
    assert beyond_chance(50, 1.0, 1e-4) == 51
    assert beyond_chance(50, 0.01, 1e-4) == 6
    assert beyond_chance(20, 0.01, 1e-4) == 4
    assert beyond_chance(1_000_000, 0.01, 0.01) == 10_233  # 10,000, and 2.33 standard deviations of 99.5


@given(st.lists(st.tuples(st.integers(0, 24).map(lambda k: k / 8 + 6), st.booleans()), max_size=80))
def test_bad_windows_are_those_that_looking_at_each_finds(arrivals: list[tuple[float, bool]]) -> None:
    """A window begins at an arrival and holds 20 of them, or the arrivals of the next second where these are more."""
    arrivals.sort()
    end_s = 9.0
    mine = [(due, failed) for due, failed in arrivals if due < end_s]
    plain = []
    for k, (due, _) in enumerate(mine):
        some = [failed for _, failed in mine[k : k + 20]]
        second = [failed for at, failed in mine[k:] if at < due + 1]
        for inside, whole in ((some, len(some) == 20), (second, len(second) > 20 and due + 1 <= end_s)):
            if whole and sum(inside) >= beyond_chance(len(inside), 0.01, 1e-4):
                plain.append([k, k + len(inside)])
    found = bad_windows(np.array([d for d, _ in mine]), np.array([f for _, f in mine], bool), end_s, 0.01, 1e-4)
    assert sorted(found.tolist()) == plain


@given(st.lists(st.booleans(), max_size=80))
def test_the_first_run_is_the_first_failure_that_too_many_follow(failed: list[bool]) -> None:
    """Look at each failure in turn, with the 19 operations after it."""
    plain = None
    for k in range(len(failed)):
        run = failed[k : k + 20]
        if plain is None and failed[k] and sum(run) >= beyond_chance(len(run), 0.01, 1e-4):
            plain = k
    assert first_run(np.array(failed, bool), 0.01, 1e-4) == plain


@given(st.lists(EIGHTHS, max_size=20), EIGHTHS, EIGHTHS)
def test_the_longest_gap_is_what_walking_through_time_finds(
    success: list[float], first_s: float, last_s: float
) -> None:
    """Walk from moment to moment; a gap counts whole if it touches [3, 6), and is "at least" if one end is missing."""
    from_s, to_s = 3.0, 6.0
    moments = sorted(success)
    begin, best = (min([first_s, *moments[:1]]), (0.0, False))
    gaps: list[tuple[float, float, bool]] = []
    for k, at_s in enumerate(moments):
        gaps.append((begin, at_s, k == 0))
        begin = at_s
    gaps.append((begin, max(last_s, begin), True))
    here = [(end - start, is_open) for start, end, is_open in gaps if start < to_s and end > from_s]
    if here:
        longest = max(length for length, _ in here)
        best = (longest, longest > 0 and any(is_open for length, is_open in here if length == longest))
    assert longest_gap_s(np.array(success), first_s, last_s, from_s, to_s) == best


@given(st.lists(st.tuples(EIGHTHS, EIGHTHS), max_size=40))
def test_the_most_at_once_is_what_counting_at_every_moment_gives(spans: list[tuple[float, float]]) -> None:
    """The height of overlapping intervals is what counting at every eighth of a second gives."""
    pairs = [(a, a + b) for a, b in spans]
    start, end = np.array([a for a, _ in pairs]), np.array([b for _, b in pairs])
    plain = max(sum(a <= t < b for a, b in pairs) for t in np.arange(2.0, 7.0, 0.125))
    assert most_at_once(start, end, 2.0, 7.0) == plain
