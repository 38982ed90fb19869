"""A claim against its bound: the metric in every trial, the median, the interval."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lab import metrics
from lab.record import ClaimResult, ClaimSpec, Interval, Run, Verdict
from lab.record.words import bounds, quantity

CONFIDENCE = 0.95
RESAMPLES = 2_000
MIN_TRIALS_FOR_INTERVAL = 3  # the median of two resampled values takes three values at most: no interval


def judge_claim(run: Run, claim: ClaimSpec) -> ClaimResult:
    """Measure a claim in every trial and hold the median against the bound."""
    taken = [_measure(run, claim, trial) for trial in range(1, run.record.trials + 1)]
    values = [measured.value for measured in taken]
    missing = next((m.why for m in taken if m.value is None), None)
    if missing is not None:
        return ClaimResult(claim, "UNKNOWN", None, f"could not be measured: {missing}", per_trial=values)
    known = [v for v in values if v is not None]
    value = float(np.median(known))
    # A median is only known to be "at least" where enough of the values are.
    censored = any(m.censored and m.value is not None and m.value <= value for m in taken)
    interval = _interval(known, run.record.seed)
    verdict, why = _hold(claim, value, censored, interval)
    return ClaimResult(claim, verdict, value, why, censored, interval, values)


def _measure(run: Run, claim: ClaimSpec, trial: int) -> metrics.Measured:
    mine = metrics.measure(claim.metric, metrics.window(run, claim.variant, claim.phase, trial))
    if claim.of is None or mine.value is None:
        return mine
    other = metrics.measure(claim.metric, metrics.window(run, claim.of, claim.phase, trial))
    if other.value is None:
        return replace(mine, value=None, why=f"{claim.of}: {other.why}")
    if other.value == 0:
        return replace(mine, value=None, why=f"{claim.of} has 0, and nothing can be divided by it")
    if other.censored:
        return replace(mine, value=None, why=f"{claim.of} is only known to be at least {other.value:g}")
    return replace(mine, value=mine.value / other.value)


def _interval(values: Sequence[float], seed: int) -> Interval | None:
    """Percentile bootstrap of the median (Efron 1979), seeded so that judging again gives the same."""
    if len(values) < MIN_TRIALS_FOR_INTERVAL:
        return None
    rng = np.random.default_rng(seed)
    resampled = np.median(rng.choice(np.asarray(values), size=(RESAMPLES, len(values))), axis=1)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return Interval(float(low), float(high), CONFIDENCE, len(values))


def _hold(claim: ClaimSpec, value: float, censored: bool, interval: Interval | None) -> tuple[Verdict, str]:
    text = ("at least " if censored else "") + quantity(value, claim)
    for bound, holds, word in (
        (claim.at_least, operator.ge, "at least"),
        (claim.at_most, operator.le, "at most"),
    ):
        if bound is None:
            continue
        asked = f"{word} {quantity(bound, claim)}"
        if interval is not None and interval.low < bound < interval.high:
            low, high = quantity(interval.low, claim), quantity(interval.high, claim)
            return "UNKNOWN", f"is inconclusive: {text}, asked {asked}, which lies inside the interval {low} to {high}"
        if not holds(value, bound):
            return "FAIL", f"is {text}, asked {asked}"
        if censored and word == "at most":
            return "UNKNOWN", f"is {text}, and how much more is not known; asked {asked}"
    return "PASS", f"is {text}, asked {bounds(claim)}"
