"""An action that was not done, not in time, or not in its phase makes a run prove nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from small_runs import Story, tell

from lab.record import ActionReceipt, ActionSpec, Run
from lab.verdict.action_conditions import actions_done
from lab.verdict.conditions import conditions

ASKED = ActionSpec("promote", "fault", 5.0, "primary killed, a standby promoted", ["primary", "standby-a"])
GOOD = ActionReceipt(ASKED, 15.1, 15.4, {"timeline": 2})


def run_with(path: Path, *receipts: ActionReceipt) -> Run:
    """A sound run whose fault, from 10 to 20 s, has one action 5 s in."""
    run = tell(path, Story())
    episodes = [replace(episode, actions=list(receipts)) for episode in run.record.episodes]
    return replace(run, record=replace(run.record, spec=replace(run.record.spec, actions=[ASKED]), episodes=episodes))


def test_one_that_was_done_in_time_is_told(tmp_path: Path) -> None:
    """And a scenario without actions is not asked for any."""
    found = actions_done(run_with(tmp_path / "done", GOOD))
    assert (found.met, found.text) == (True, "1 in each episode, done and read back")
    assert "actions done" not in {each.name for each in conditions(tell(tmp_path / "none", Story()))}
    assert "actions done" in {each.name for each in conditions(run_with(tmp_path / "some", GOOD))}


@pytest.mark.parametrize(
    ("receipts", "why"),
    [
        ([], "it was not done"),
        ([replace(GOOD, action=replace(ASKED, after_s=6.0))], "it was not done"),
        ([replace(GOOD, error="standby-a is still in recovery")], "standby-a is still in recovery"),
        ([replace(GOOD, began_s=15.6)], "it began 0.60 s late; 0.5 s are allowed"),
        ([replace(GOOD, done_s=20.5)], "it was not done by the end of fault"),
    ],
)
def test_one_that_was_not_is_told_with_its_reason(tmp_path: Path, receipts: list[ActionReceipt], why: str) -> None:
    """The first one that is wrong, with the variant."""
    found = actions_done(run_with(tmp_path, *receipts))
    assert not found.met
    assert found.text == f"{ASKED.text} (off): {why}"
