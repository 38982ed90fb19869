"""Alerts that fired while a variant ran: asked of Prometheus as a panel is, kept as facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from lab.model import Panel
from lab.observe.panels import STEP_S
from lab.record import FiredAlert

# One series for each alert of dashboards/rules/slo-lab.yml that fires. Those with production's windows look hours
# back, over variants and runs, and say nothing of one of them.
FIRING = Panel(
    "alerts that fire",
    'ALERTS{alertstate="firing",scale="lab"}',
    legend="{{alertname}}/{{severity}}/{{slo}}/{{service}}",
)

Row = Mapping[str, Any]
_ROUNDING_S = 0.002  # moments come back in whole milliseconds


def fired(rows: Sequence[Row], lasts_s: float) -> list[FiredAlert]:
    """Each stretch in which an alert fired, from rows of FIRING, in order of time.

    Prometheus judges rules once a second, and is asked for each second from 0 to `lasts_s`: the times are as exact as
    that. An alert without an end still fired at the last of these moments; of any other the end is the first moment
    at which it no longer fired.
    """
    found: list[FiredAlert] = []
    for series, samples in groupby(
        sorted(rows, key=lambda r: (r["series"], r["at_s"])), key=lambda r: str(r["series"])
    ):
        name, severity, slo, service = series.split("/", 3)
        for start_s, end_s in _stretches([float(row["at_s"]) for row in samples]):
            next_s = end_s + STEP_S
            over_s = None if next_s > lasts_s + _ROUNDING_S else next_s
            found.append(FiredAlert(name, severity, slo, service, start_s, over_s))
    return sorted(found, key=lambda alert: (alert.fired_s, alert.name, alert.slo, alert.service))


def _stretches(times_s: Sequence[float]) -> list[tuple[float, float]]:
    """First and last of each run of samples that follow each other step by step."""
    found: list[tuple[float, float]] = []
    for at_s in times_s:
        if found and at_s - found[-1][1] < 1.5 * STEP_S:
            found[-1] = (found[-1][0], at_s)
        else:
            found.append((at_s, at_s))
    return found
