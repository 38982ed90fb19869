"""blocking-event-loop and profile-culprit, end to end: shortened, and no speed of this machine asserted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lab_runs import Done, lab

pytestmark = [pytest.mark.e2e, pytest.mark.alone]


def by_text(found: Done) -> dict[str, Any]:
    """The claims of a run."""
    return {claim["text"]: claim for claim in found.data["claims"]}


@pytest.mark.by_turns
def test_a_held_loop_hurts_and_every_login_is_right(tmp_path: Path) -> None:
    """Inline a health check waits; whichever way, each login has one session, its own."""
    found = lab("run", "blocking-event-loop", "--scale", "0.25", "--seed", "11", "--json", "--reports", tmp_path)
    claims = by_text(found)
    for text in ("a health check waits", "the price: a login is no faster", "requests succeed (executor)"):
        assert claims[text]["verdict"] == "PASS", found.out + found.err
    assert claims["a health check does not wait"]["value"] < claims["a health check waits"]["value"]
    assert {invariant["verdict"] for invariant in found.data["invariants"]} == {"PASS"}


@pytest.mark.by_turns
def test_the_flame_graphs_difference_names_the_culprit(tmp_path: Path) -> None:
    """Its samples per request are gone, none fell by more, and every statement is right."""
    # 0.05 cores at 100 samples a second: 16 s give the fixed variant 80, and its metrics ask for 50.
    found = lab("run", "profile-culprit", "--scale", "0.8", "--seed", "11", "--json", "--reports", tmp_path)
    claims = by_text(found)
    for text in (
        "the culprit has most of the time",
        "the culprit's samples per request are gone",
        "the difference points at the culprit",
    ):
        assert claims[text]["verdict"] == "PASS", found.out + found.err
    assert {invariant["verdict"] for invariant in found.data["invariants"]} == {"PASS"}
