"""
One run on disk, written once and judged and drawn as often as wanted.

    reports/<scenario>/<run>/
        record.json          everything below, except the tables
        operations.parquet   one row an operation
        probes.parquet       one row a canary probe
        snapshots.parquet    every counter and gauge of every service at every phase boundary
        series.parquet       one row a sample of a panel's expression
        profiles/ logs/
        readbacks/           what the services held after the load
        early/               and, where a fault is to take it, shortly before that

All times named `*_s` count seconds from the start of that variant's load; `t0_epoch_s` places them on the clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.model.dose import Dose, Probe, ProbeOutcome
from lab.record.disk import (
    RECORD_VERSION,
    Run,
    point_to_latest,
    read_run,
    runs_of,
    with_judgement,
    write_record,
    write_table,
)
from lab.record.facts import (
    ActionReceipt,
    Anomaly,
    ClaimResult,
    ClockFacts,
    Condition,
    Early,
    Episode,
    Event,
    FiredAlert,
    Interval,
    InvariantResult,
    Judgement,
    LoadFacts,
    Machine,
    Outcome,
    PhaseWindow,
    Prediction,
    Receipt,
    Record,
    Verdict,
    WorkerFacts,
    unlike,
)
from lab.record.operations import Operations
from lab.record.spec import (
    ActionSpec,
    ClaimSpec,
    ExerciseSpec,
    FaultSpec,
    InvariantSpec,
    LinkSpec,
    LoadSpec,
    MemberSpec,
    MetricSpec,
    PanelSpec,
    PhaseSpec,
    QuestionSpec,
    Spec,
    Turned,
    VariantSpec,
)

if TYPE_CHECKING:
    from lab.record.tables import TABLES

__all__ = [
    "RECORD_VERSION",
    "TABLES",
    "ActionReceipt",
    "ActionSpec",
    "Anomaly",
    "ClaimResult",
    "ClaimSpec",
    "ClockFacts",
    "Condition",
    "Dose",
    "Early",
    "Episode",
    "Event",
    "ExerciseSpec",
    "FaultSpec",
    "FiredAlert",
    "Interval",
    "InvariantResult",
    "InvariantSpec",
    "Judgement",
    "LinkSpec",
    "LoadFacts",
    "LoadSpec",
    "Machine",
    "MemberSpec",
    "MetricSpec",
    "Operations",
    "Outcome",
    "PanelSpec",
    "PhaseSpec",
    "PhaseWindow",
    "Prediction",
    "Probe",
    "ProbeOutcome",
    "QuestionSpec",
    "Receipt",
    "Record",
    "Run",
    "Spec",
    "Turned",
    "VariantSpec",
    "Verdict",
    "WorkerFacts",
    "point_to_latest",
    "read_run",
    "runs_of",
    "unlike",
    "with_judgement",
    "write_record",
    "write_table",
]


def __getattr__(name: str) -> object:
    """Tables are of Arrow, which is imported when one is first asked for: `lab list` needs none."""
    if name == "TABLES":
        from lab.record.tables import TABLES

        return TABLES
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
