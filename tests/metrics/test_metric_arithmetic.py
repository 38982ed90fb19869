"""The arithmetic below the metrics, against the slowest and plainest way to say the same."""

from __future__ import annotations

from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lab.metrics.arithmetic import last_bad_window_s, most_at_once, nearest_rank

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


@given(st.lists(st.tuples(EIGHTHS, st.booleans()), max_size=40))
def test_the_last_bad_second_is_found_without_looking_everywhere(arrivals: list[tuple[float, bool]]) -> None:
    """The last bad window is the one that looking at every sixteenth of a second finds."""
    arrivals.sort()
    start_s, end_s = 1.0, 9.0
    mine = [(due, ok) for due, ok in arrivals if start_s <= due < end_s]
    found = last_bad_window_s(np.array([d for d, _ in mine]), np.array([o for _, o in mine], bool), start_s, end_s)
    bad = []
    for step in range(int((end_s - 1 - start_s) * 16) + 1):
        t = start_s + step / 16
        inside = [ok for due, ok in mine if t <= due < t + 1]
        if inside and sum(inside) < 0.99 * len(inside):
            bad.append(t)
    assert found == (max(bad) if bad else None)


@given(st.lists(st.tuples(EIGHTHS, EIGHTHS), max_size=40))
def test_the_most_at_once_is_what_counting_at_every_moment_gives(spans: list[tuple[float, float]]) -> None:
    """The height of overlapping intervals is what counting at every eighth of a second gives."""
    pairs = [(a, a + b) for a, b in spans]
    start, end = np.array([a for a, _ in pairs]), np.array([b for _, b in pairs])
    plain = max(sum(a <= t < b for a, b in pairs) for t in np.arange(2.0, 7.0, 0.125))
    assert most_at_once(start, end, 2.0, 7.0) == plain


def test_a_failure_among_many_successes_spoils_no_second() -> None:
    """One failure in a hundred arrivals a second is 99 %, and enough; one in ninety-nine is not."""
    for per_s, bad in ((100, None), (99, 5.0)):
        due = np.arange(0, 10, 1 / per_s)
        ok = due != due[5 * per_s]
        found = last_bad_window_s(due, ok, 0.0, 10.0)
        assert found is None if bad is None else found is not None and abs(found - bad) < 1e-9
