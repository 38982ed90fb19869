"""
The variants of a run one above the other: each drawn as if it had begun when the first one did.

Variants run one after the other, so their lines stand side by side and never at the same time of an episode. PromQL's
`offset` moves a series in time, but takes no expression: how far is a hidden variable of the dashboard, whose query
compares the starts of the variants' first processes.
"""

from __future__ import annotations

from collections.abc import Iterator

from grafana_foundation_sdk.builders import dashboard

from lab.dashboards import look
from lab.dashboards.look import KEPT_D, Graph, Moved
from lab.dashboards.shape import Shape, is_apart, of_each_variant
from lab.record import Spec, VariantSpec

TITLE = "Variants from their start"
TEXT = (
    "The variants of the run's first trial at the same time of their episodes, to about a second: all are drawn at the "
    "time of {first}. Fault windows are those of {first}."
)
ANSWER = r'/s="([^"]+)"/'  # of query_result: such as {s="-34"} 1 1764000000000


def variables(spec: Spec) -> Iterator[dashboard.QueryVariable]:
    """By how many seconds each variant but the first is moved: below 0 where it ran after the first."""
    for number, variant in enumerate(spec.variants[1:], start=1):
        behind = f"round({_started(spec, spec.variants[0])} - {_started(spec, variant)}) or vector(0)"
        query = f'query_result(count_values("s", {behind}))'
        yield look.variable(_name(number), query, several=False).regex(ANSWER).hide(look.HIDDEN)


def graphs(spec: Spec, shape: Shape) -> list[Graph]:
    """The experiment's own panels that keep their variants apart, with the variants above each other."""
    if len(spec.variants) < 2:
        return []
    moved = [
        Moved(f'variant="{variant.name}"', f"${{{_name(number)}}}s" if number else "")
        for number, variant in enumerate(spec.variants)
    ]
    text = TEXT.format(first=spec.variants[0].name)
    shown = [(panel, *of_each_variant(panel, shape)) for panel in spec.panels if is_apart(panel, shape)]
    return [
        Graph(panel.title, expr, panel.unit, legend, text=text, values=panel.values, moved=moved)
        for panel, expr, legend in shown
    ]


def _name(number: int) -> str:
    return f"ahead_{number}"


def _started(spec: Spec, variant: VariantSpec) -> str:
    """When a variant's first process started in the first trial; the window is that of look.runs_panel."""
    of = f'scenario="{spec.name}",run="$run",trial="1",variant="{variant.name}"'
    return f"min(min_over_time(process_start_time_seconds{{{of}}}[{2 * KEPT_D}d] offset -{KEPT_D}d))"
