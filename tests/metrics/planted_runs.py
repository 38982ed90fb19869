"""Small runs on disk whose every operation and count is planted by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import ANY

from lab.metrics import Measured, measure, window
from lab.model import Metric
from lab.record import (
    RECORD_VERSION,
    Dose,
    Episode,
    FaultSpec,
    LoadFacts,
    LoadSpec,
    Machine,
    MetricSpec,
    PanelSpec,
    PhaseSpec,
    PhaseWindow,
    Receipt,
    Record,
    Run,
    Spec,
    VariantSpec,
    write_record,
    write_table,
)
from lab.record.disk import read_run

PHASES = (PhaseWindow("baseline", 0.0, 10.0), PhaseWindow("fault", 10.0, 20.0), PhaseWindow("recovery", 20.0, 30.0))
TIMEOUT_S = 4.0
T0_EPOCH_S = 1.76e9
FAULT = FaultSpec("silence", "exchange->payments", "payments silent")
Row = dict[str, Any]


def operation(due_s: float, wait_s: float | None = 0.01, outcome: str = "ok", **more: object) -> Row:
    """One operation; `wait_s` None was never answered. Sent when due unless `start_s` says otherwise."""
    status = {"ok": 201, "fail": 503, "info": 504}[outcome] if wait_s is not None else None
    phase = next(p.name for p in PHASES if p.start_s <= due_s < p.end_s)
    row: Row = {
        "trial": 1, "variant": "off", "phase": phase,
        "due_s": due_s, "start_s": due_s, "end_s": None if wait_s is None else due_s + wait_s,
        "operation": "POST /trades", "outcome": outcome, "status": status,
    }  # fmt: skip
    return {**row, **more}


def counted(edge: str, metric: str, value: float, phase: str = "fault", **labels: str) -> Row:
    """One row of a snapshot of `exchange`."""
    at_s = next(p.start_s if edge == "start" else p.end_s for p in PHASES if p.name == phase)
    return {
        "trial": 1, "variant": "off", "at_s": at_s, "phase": phase, "edge": edge, "service": "exchange",
        "metric": metric, "labels": json.dumps(labels, sort_keys=True), "value": value,
    }  # fmt: skip


def plant(
    path: Path,
    operations: Sequence[Row] = (),
    snapshots: Sequence[Row] = (),
    series: Sequence[Row] = (),
    *,
    injected_s: float | None = None,
    receipts: Sequence[Receipt] = (),
    panels: Sequence[PanelSpec] = (),
    broken: Sequence[str] = (),
    profiles: Mapping[str, str] | None = None,
    readbacks: Mapping[str, Any] | None = None,
    phases: Sequence[PhaseWindow] = PHASES,
    trials: int = 1,
    both: bool = False,
) -> Run:
    """Write a run of variant `off`, or of `both` with the same phases, and open it.

    `broken` phases have a fault in the plan; `injected_s` stands for a receipt of an older lab.
    """
    proofs = [*receipts, *([] if injected_s is None else [receipt(injected_s)])]
    episode = Episode(1, "off", 7, T0_EPOCH_S, list(phases), LoadFacts(0, 0, 0, 0, 0, 0), proofs)
    rows = [{"n": n, **row} for n, row in enumerate(operations)]
    path.mkdir(parents=True, exist_ok=True)
    for name, table in (("operations", rows), ("snapshots", snapshots), ("series", series)):
        write_table(path, name, table)
    for name, text in (profiles or {}).items():
        file = path / "profiles" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    if readbacks is not None:
        (path / "readbacks").mkdir()
        (path / "readbacks" / "1-off.json").write_text(json.dumps(readbacks))
    episodes = [episode, replace(episode, variant="on")] if both else [episode]
    write_record(path, _record(episodes, trials, panels, broken))
    return read_run(path)


def receipt(injected_s: float, phase: str = "fault", removed_s: float | None = 20.0, **more: float) -> Receipt:
    """Proof of a fault; `began_s` and `removing_s` as records of today have them."""
    dose = Dose("silence", "silence", True)
    return Receipt(FAULT, phase, injected_s, removed_s, {}, dose, **more)  # type: ignore[arg-type]


def _record(episodes: list[Episode], trials: int, panels: Sequence[PanelSpec], broken: Sequence[str]) -> Record:
    load = LoadSpec(["POST /trades"], "exchange", 50, "uniform", None, 0.0, TIMEOUT_S)
    spec = Spec(
        name="planted", file="", title="", summary="", sections=[], question="", idea="", predict=[], look_at=[],
        exercises=[], members=[], links=[], load=load, variants=[VariantSpec("off"), VariantSpec("on")],
        phases=[PhaseSpec(p.name, p.end_s - p.start_s, [FAULT] if p.name in broken else []) for p in PHASES],
        claims=[], invariants=[], panels=list(panels), profile=[],
    )  # fmt: skip
    return Record(
        version=RECORD_VERSION, run="planted", spec=spec, runtime="local", seed=7, trials=trials, scale=1, command="",
        started_epoch_s=0, finished_epoch_s=0, machine=Machine("", "", "", 1, 1, ""), versions={}, proxy="",
        git_commit=None, git_dirty=False, episodes=episodes, overhead_s=0,
    )  # fmt: skip


def taken(run: Run, metric: Metric, phase: str = "fault", variant: str = "off", trial: int = 1) -> Measured:
    """What the judge would take."""
    spec = MetricSpec(metric.name, metric.unit, dict(metric.args))
    return measure(spec, window(run, variant, phase, trial))


def told(value: float | None, censored: bool = False, why: str = "", n: int = ANY) -> Measured:
    """The answer expected; of any sample where `n` is left out."""
    return Measured(value, censored, why, n)
