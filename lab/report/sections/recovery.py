"""Recovery: how soon the fault was detected, how soon service was back, what it cost meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lab.metrics.services import CLIENT_ACTIVE
from lab.record import LinkSpec, MetricSpec
from lab.report.numbers import link_text, metric_value
from lab.report.view import View
from lab.verdict.trials import typical

TITLE = "Recovery"
MAX_LINKS = 6


@dataclass(frozen=True)
class Cell:
    """A measured value in words; `why` says what stands behind a dash."""

    text: str
    why: str = ""


@dataclass(frozen=True)
class Row:
    """One measure in one phase, a cell a variant."""

    name: str
    meaning: str
    phase: str
    cells: Sequence[Cell]


@dataclass(frozen=True)
class Data:
    """The table; cells are medians over `trials`."""

    variants: Sequence[str]
    rows: Sequence[Row]
    trials: int


def build(view: View) -> Data | None:
    """None where nothing was broken."""
    rows = [
        Row(name, meaning, phase, [_cell(view, spec, variant, phase) for variant in view.variants])
        for name, meaning, phase, spec in _wanted(view)
    ]
    return Data(view.variants, rows, view.record.trials) if rows else None


def _wanted(view: View) -> Iterator[tuple[str, str, str, MetricSpec]]:
    phases, links = view.spec.phases, _called(view)
    for k, phase in enumerate(phases):
        if not phase.faults:
            continue
        yield "Time to detect", "fault in to first bad answer", phase.name, MetricSpec("detect_s", "s")
        for link in links[:MAX_LINKS]:
            spec = MetricSpec("attempts_per_request", "", {"link": link.name})
            yield f"Attempts per request, {link_text(link.name)}", "calls begun on the link", phase.name, spec
        yield "Goodput", "answers that were ok", phase.name, MetricSpec("goodput_per_s", "/s")
        yield "Requests lost", "arrivals that did not end ok", phase.name, MetricSpec("requests_lost", "")
        if k + 1 < len(phases) and not phases[k + 1].faults:
            after = phases[k + 1].name
            yield "Time to recover", "until well for good (99 % ok)", after, MetricSpec("recovery_s", "s")
            yield "Requests lost", "arrivals that did not end ok", after, MetricSpec("requests_lost", "")


def _called(view: View) -> list[LinkSpec]:
    """The links on which requests are made for the load's: by HTTP, as the caller's metrics show, and one way only.

    Servers that call each other do so of their own accord too.
    """
    ends = {(link.caller, link.callee) for link in view.spec.links}
    counted = {name for variant in view.variants for name in _counted(view, variant)}
    return [link for link in view.spec.links if link.name in counted and (link.callee, link.caller) not in ends]


def _counted(view: View, variant: str) -> set[str]:
    """Names of the links whose requests are counted in a variant: not every variant has all of them."""
    return {
        f"{row['service']}->{json.loads(row['labels']).get('peer')}"
        for row in view.run.snapshots
        if row["variant"] == variant and row["metric"] == CLIENT_ACTIVE
    }


def _cell(view: View, spec: MetricSpec, variant: str, phase: str) -> Cell:
    if "link" in spec.args and spec.args["link"] not in _counted(view, variant):
        return Cell("–", "no such calls")
    taken = [view.measure(spec, variant, phase, trial) for trial in range(1, view.record.trials + 1)]
    known = [m for m in taken if m.value is not None]
    if not known:
        return Cell("–", taken[0].why)
    found = typical(known)  # as the judge takes it
    text = ("≥ " if found.censored else "") + metric_value(found.value, spec)
    values = [m.value for m in known if m.value is not None]
    if len(known) > 1 and min(values) != max(values):
        text += f" ({metric_value(min(values), spec)} to {metric_value(max(values), spec)})"
    missing = next((m.why for m in taken if m.value is None), "")
    if missing:  # a median of those that are there would be of another run
        return Cell(f"{text}, {len(known)} of {len(taken)} trials", missing)
    return Cell(text)
