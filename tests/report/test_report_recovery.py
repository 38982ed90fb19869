"""The recovery table says what the judge would: the same median, and the trials that have none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from fabricate import Recipe, fabricate

from lab.catalogue.handbook import sections
from lab.metrics import Measured
from lab.record import MetricSpec
from lab.report.sections import recovery
from lab.report.view import View

pytestmark = pytest.mark.e2e

RECOVERY = MetricSpec("recovery_s", "s")


@pytest.mark.parametrize(
    ("taken", "text", "why"),
    [
        ([Measured(1.0), Measured(2.0), Measured(9.0, True)], "2 s (1 s to 9 s)", ""),
        ([Measured(1.0), Measured(9.0, True), Measured(9.0, True)], "≥ 9 s (1 s to 9 s)", ""),
        (
            [Measured(1.0), Measured(None, why="none due"), Measured(3.0)],
            "2 s (1 s to 3 s), 2 of 3 trials",
            "none due",
        ),
    ],
)  # fmt: skip
def test_a_cell_agrees_with_the_judge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: list[Measured], text: str, why: str
) -> None:
    """One censored trial of three does not make the median "at least", two do; a trial without a value is told."""
    run = fabricate(tmp_path, Recipe(phases_s=(3, 4, 4)))
    view = View(replace(run, record=replace(run.record, trials=3)), sections())
    monkeypatch.setattr(View, "measure", lambda self, metric, variant, phase, trial: taken[trial - 1])
    cell = recovery._cell(view, RECOVERY, "on", "recovery")
    assert cell.text.replace("\u202f", " ") == text
    assert cell.why == why
