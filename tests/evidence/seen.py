"""Runs for the tests of evidence: the example's record with another seed, verdict or number."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lab.evidence.facts import Body, body_of
from lab.record import Judgement, Record, Verdict, read_run

EXAMPLE = Path(__file__).resolve().parents[2] / "reports" / "example" / "circuit-breaker"
RECORD = read_run(EXAMPLE).record
CODE = "0123456789abcdef"


def judged(verdict: Verdict = "PASS", value: float | None = 500.0, why: str = "why") -> Judgement:
    """The example's judgement with another verdict, and another value of its first claim."""
    assert RECORD.judgement
    first, *others = RECORD.judgement.claims
    return replace(RECORD.judgement, verdict=verdict, reasons=[why], claims=[replace(first, value=value), *others])


def recorded(seed: int = 1, verdict: Verdict = "PASS", value: float | None = 500.0, number: int = 0) -> Record:
    """A run of a clean commit; `number` tells runs of one seed apart, the later the higher."""
    run = f"20261129T1200{number:02d}Z-{seed:04d}"
    clean = replace(RECORD, run=run, seed=seed, git_commit="c" * 40, git_dirty=False)
    return replace(clean, judgement=judged(verdict, value))


def body(seed: int = 1, verdict: Verdict = "PASS", value: float | None = 500.0, number: int = 0) -> Body:
    """What is kept of it."""
    record = recorded(seed, verdict, value, number)
    assert record.judgement
    return body_of(record, record.judgement, CODE)
