"""p99 as most tools report it against p99 from the intended start: what coordinated omission would have hidden."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lab.record import MetricSpec
from lab.report.charts.naive import Pair, chart
from lab.report.charts.render import Chart
from lab.report.numbers import number, quantity
from lab.report.view import View

TITLE = "Coordinated omission"
AGREE = 1.1


@dataclass(frozen=True)
class Data:
    """The chart, and in a sentence what it says."""

    charts: Sequence[Chart]
    finding: str
    agrees: bool  # nothing was hidden: the chart stays folded
    late: Sequence[tuple[str, str, str]]
    is_open: bool


def build(view: View) -> Data | None:
    """None where no phase has enough operations for a p99."""
    pairs = []
    for variant in view.variants:
        for phase in view.phases(variant):
            naive, intended = (
                view.measure(MetricSpec(m, "ms"), variant, phase.name) for m in ("naive_p99_ms", "p99_ms")
            )
            if naive.value is not None and intended.value is not None:
                pairs.append(Pair(variant, phase.name, naive.value, intended.value, intended.censored))
    if not pairs:
        return None
    late = [
        (variant, quantity(facts.late_p99_ms, "ms"), quantity(facts.late_max_ms, "ms"))
        for variant, facts in ((v, view.episode(v).load) for v in view.variants)
    ]
    agrees = max(pair.ratio for pair in pairs) < AGREE
    return Data([chart(pairs)], _finding(pairs), agrees, late, view.spec.load.per_s is not None)


def _finding(pairs: Sequence[Pair]) -> str:
    worst = max(pairs, key=lambda pair: pair.ratio)
    if worst.ratio < AGREE:
        return (
            "They agree within a tenth everywhere: requests left when they were due, so nothing was hidden. "
            "A load generator that waits for answers would show a gap here."
        )
    return (
        f"The gap is widest in {worst.phase} of {worst.variant}: callers waited {number(worst.ratio)} times as long "
        "as the naive figure says, since requests left late."
    )
