"""Trials beside each other: what was chance in one of them and what came each time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lab.record import Operations
from lab.report.aggregate import bin_s, over_time
from lab.report.charts import trials
from lab.report.charts.render import Chart
from lab.report.charts.trials import Line
from lab.report.numbers import duration
from lab.report.view import View

TITLE = "Trials"


@dataclass(frozen=True)
class Data:
    """A chart a variant for either measure, and how wide a column of theirs is."""

    waits: Sequence[Chart]
    shares: Sequence[Chart]
    trials: int
    bin: str
    says: str

    @property
    def charts(self) -> list[Chart]:
        """All charts of the section."""
        return [*self.waits, *self.shares]


def build(view: View) -> Data | None:
    """None where there is one trial alone."""
    numbers = sorted({episode.trial for episode in view.record.episodes})
    if len(numbers) < 2:
        return None
    width_s = bin_s(view.end_s)
    waits: dict[str, list[Line]] = {}
    shares: dict[str, list[Line]] = {}
    for variant in view.variants:
        for trial in numbers:
            if view.run.episode(variant, trial) is None:
                continue
            wait, share = _lines(view, variant, view.run.operations(variant, trial), width_s)
            waits.setdefault(variant, []).append(wait)
            shares.setdefault(variant, []).append(share)
    return Data(
        trials.charts(view, "p90 by arrival", "ms", waits),
        trials.charts(view, "requests that succeed", "percent", shares),
        len(numbers),
        duration(width_s),
        _says(shares),
    )


def _lines(view: View, variant: str, ops: Operations, width_s: float) -> tuple[Line, Line]:
    bins = over_time(ops, view.spec.load.timeout_s, view.ended_s(variant), width_s)
    middles = [(b.start_s + b.end_s) / 2 for b in bins]
    wait = [(at_s, b.p90_ms if np.isfinite(b.p90_ms) else None) for at_s, b in zip(middles, bins, strict=True)]
    share = [(at_s, 100 * b.ok / b.count) for at_s, b in zip(middles, bins, strict=True)]
    return wait, share


def _says(shares: dict[str, list[Line]]) -> str:
    """Where the trials differ most in the share that succeeds."""
    apart: list[tuple[float, float, str]] = []
    for variant, lines in shares.items():
        by_moment: dict[float, list[float]] = {}
        for line in lines:
            for at_s, value in line:
                if value is not None:
                    by_moment.setdefault(round(at_s, 3), []).append(value)
        apart += [(max(found) - min(found), at_s, variant) for at_s, found in by_moment.items() if len(found) > 1]
    if not apart:
        return ""
    most, at_s, variant = max(apart)
    if most < 1:
        return "The share that succeeds differs by less than 1 percentage point between trials at all times."
    return f"They differ most at {at_s:.1f} s in {variant}: {most:.0f} percentage points from best to worst trial."
