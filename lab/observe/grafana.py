"""Grafana while a run goes: fault windows drawn on its dashboards, and where those are."""

from __future__ import annotations

TAG, FAULT, VARIANT = "chaos-lab", "fault", "variant"  # what the dashboards' annotations are found by
OVERVIEW = "lab-overview"


def uid_of(scenario: str) -> str:
    """The uid of an experiment's dashboard; Grafana takes up to 40 characters."""
    return f"lab-{scenario}"[:40]
