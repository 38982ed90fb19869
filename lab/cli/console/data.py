"""Runs, experiments and findings for a machine to read (`--json`), and what the terminal needs to know of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from lab.catalogue import Entry, shown
from lab.cli.console.predictions import predictions_data
from lab.errors import RecordError
from lab.record import Record, Run, Spec, Verdict, read_run, runs_of

if TYPE_CHECKING:
    from lab.run.doctor import Finding


def notes_of(record: Record) -> list[str]:
    """What went wrong and was survived, with the episode where it belongs to one."""
    several = record.trials > 1
    return [
        *record.notes,
        *(
            f"{episode.variant}{f', trial {episode.trial}' if several else ''}: {note}"
            for episode in record.episodes
            for note in episode.notes
        ),
    ]


def run_data(run: Run) -> dict[str, Any]:
    """A run for a machine: verdict, claims, invariants, where the report is."""
    record, judgement = run.record, run.record.judgement
    data: dict[str, Any] = {
        "scenario": record.spec.name,
        "run": record.run,
        "verdict": judgement.verdict if judgement else None,
        "reasons": judgement.reasons if judgement else [],
        "seed": record.seed,
        "trials": record.trials,
        "scale": record.scale,
        "turned": msgspec.to_builtins(record.turned),
        "runtime": record.runtime,
        "proxy": record.proxy,
        "overhead_s": round(record.overhead_s, 2),
        "notes": notes_of(record),
        "path": str(run.path),
        "report": str(run.path / "index.html"),
        "predictions": predictions_data(record.predictions, judgement),
        "claims": [],
        "invariants": [],
    }
    if judgement:
        data["claims"] = [
            {
                "text": r.claim.text,
                "variant": r.claim.variant,
                "phase": r.claim.phase,
                "metric": r.claim.metric.name,
                "unit": f"x {r.claim.of}" if r.claim.of else r.claim.metric.unit,
                "value": r.value,
                "at_least": r.claim.at_least,
                "at_most": r.claim.at_most,
                "interval": msgspec.to_builtins(r.interval),
                "censored": r.censored,
                "of": r.claim.metric.args.get("of"),
                "n": r.n,
                "late": r.late,
                "before": r.before,
                "verdict": r.verdict,
                "why": r.why,
            }
            for r in judgement.claims
        ]
        data["invariants"] = [
            {"text": r.invariant.text, "variant": r.variant, "verdict": r.verdict, "why": r.why, "checked": r.checked}
            for r in judgement.invariants
        ]
    return data


def _judged(reports: Path, name: str) -> Iterator[Run]:
    """An experiment's runs that were judged and can be read, the newest first."""
    for path in reversed(runs_of(reports, name)):
        try:
            run = read_run(path)
        except RecordError:
            continue
        if run.record.judgement:
            yield run


def last_judged(reports: Path, name: str) -> Run | None:
    """The newest of them."""
    return next(_judged(reports, name), None)


def last_full(reports: Path, name: str) -> Run | None:
    """The newest that ran the experiment as the catalogue has it."""
    return next((run for run in _judged(reports, name) if run.record.is_full), None)


def last_verdict(reports: Path, name: str) -> Verdict | None:
    """The verdict of that run."""
    run = last_full(reports, name)
    return run.record.judgement.verdict if run and run.record.judgement else None


def _in_short(run: Run | None) -> dict[str, Any] | None:
    if run is None or run.record.judgement is None:
        return None
    record = run.record
    knobs = msgspec.to_builtins(record.turned)
    return {"run": record.run, "verdict": run.record.judgement.verdict, "scale": record.scale, "turned": knobs}


def catalogue_data(entries: Sequence[Entry], reports: Path, runs: bool) -> list[dict[str, Any]]:
    """The catalogue for a machine."""
    return [
        {
            "name": entry.name,
            "title": entry.scenario.title,
            "sections": list(entry.scenario.sections),
            "question": entry.scenario.question,
            "file": shown(entry.file),
            "last_verdict": last_verdict(reports, entry.name),
            "last_run": _in_short(last_judged(reports, entry.name)),
            **({"runs": [str(path) for path in runs_of(reports, entry.name)]} if runs else {}),
        }
        for entry in entries
    ]


def spec_json(spec: Spec) -> str:
    """An experiment for a machine."""
    return json.dumps(msgspec.to_builtins(spec), indent=2)


def findings_data(found: Sequence[Finding]) -> list[dict[str, Any]]:
    """What the doctor found, for a machine."""
    return [dict(msgspec.to_builtins(finding)) for finding in found]
