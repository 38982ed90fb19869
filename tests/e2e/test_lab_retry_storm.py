"""retry-storm, end to end and shortened: four real services in a row, with a budget for retries and without."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab_runs import ROOT, lab

pytestmark = pytest.mark.e2e
SCENARIO = ROOT / "scenarios" / "ch07_distributed_systems" / "retry_storm.py"


def without_backoff(folder: Path) -> Path:
    """The scenario without its second variant, and without the claim about it: a third of the time."""
    lines = SCENARIO.read_text("utf-8").splitlines(keepends=True)
    kept = [line for line in lines if '"backoff"' not in line]
    assert len(lines) - len(kept) == 2
    file = folder / SCENARIO.name
    file.write_text("".join(kept), "utf-8")
    return file


def test_the_storm_outlives_its_fault_and_the_budget_does_not_let_it_begin(tmp_path: Path) -> None:
    """Without a budget nothing comes back; with one it does; and no trade is charged or booked twice in either."""
    found = lab("run", without_backoff(tmp_path), "--scale", "0.5", "--seed", "11", "--json", "--reports", tmp_path)
    claims = {claim["text"]: claim for claim in found.data["claims"]}
    assert claims["and none succeeds"]["verdict"] == "PASS", found.out + found.err
    assert claims["it recovers by itself"]["value"] is not None
    assert claims["it recovers by itself"]["verdict"] == "PASS"
    assert claims["the budget bounds the load"]["value"] < claims["and 16 at the ledger"]["value"]
    assert {invariant["verdict"] for invariant in found.data["invariants"]} == {"PASS"}
