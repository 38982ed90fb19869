"""retry-storm, end to end and shortened: four real services in a row, with a budget for retries and without."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from lab_runs import ROOT, lab

pytestmark = [pytest.mark.e2e, pytest.mark.alone]
SCENARIO = ROOT / "scenarios" / "ch07_distributed_systems" / "retry_storm.py"


def without_backoff(folder: Path) -> Path:
    """The scenario without its second variant, and without the claims about it: a third of the time."""
    source = SCENARIO.read_text("utf-8")
    kept, variants = re.subn(r' {8}Variant\(\n {12}"backoff",.*?\n {8}\),\n', "", source, flags=re.DOTALL)
    kept, claims = re.subn(r'^ {8}Claim\("[^"]*", "backoff", .*\n', "", kept, flags=re.MULTILINE)
    assert (variants, claims, kept.count('"backoff"')) == (1, 2, 0)
    file = folder / SCENARIO.name
    file.write_text(kept, "utf-8")
    return file


@pytest.mark.by_turns
def test_the_storm_outlives_its_fault_and_the_budget_does_not_let_it_begin(tmp_path: Path) -> None:
    """Without a budget nothing comes back; with one it does; and no trade is charged or booked twice in either."""
    found = lab("run", without_backoff(tmp_path), "--scale", "0.5", "--seed", "11", "--json", "--reports", tmp_path)
    claims = {claim["text"]: claim for claim in found.data["claims"]}
    assert claims["no trade succeeds after the fault"]["verdict"] == "PASS", found.out + found.err
    assert claims["it recovers by itself"]["value"] is not None
    assert claims["it recovers by itself"]["verdict"] == "PASS"
    assert claims["the budget bounds the load"]["value"] < claims["a trade is 16 attempts at the ledger"]["value"]
    assert {invariant["verdict"] for invariant in found.data["invariants"]} == {"PASS"}
