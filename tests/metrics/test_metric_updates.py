"""updates_lost, on histories planted by hand."""

from __future__ import annotations

import json
from pathlib import Path

from planted_runs import Row, operation, plant, taken, told

from lab import metrics

LOST = metrics.updates_lost("POST /trades")


def update(due_s: float, before: int, key: str = "a", outcome: str = "ok") -> Row:
    """An addition of 1, as it was answered."""
    response = json.dumps({"before": before, "after": before + 1}) if outcome == "ok" else None
    return operation(due_s, 0.01, outcome, key=key, response=response)


FILLER = [update(10 + k / 10, k, "filler") for k in range(20)]


def test_of_those_that_read_the_same_all_but_one_are_lost(tmp_path: Path) -> None:
    """Three of one number are two lost ones; another counter has numbers of its own."""
    three = [update(12, 5), update(13, 5), update(14, 5)]
    sound = [update(15, 6), update(16, 5, "b"), update(17, 5, outcome="info")]
    assert taken(plant(tmp_path, [*three, *sound, *FILLER]), LOST) == told(2.0, n=25)


def test_a_lost_one_counts_in_its_own_phase(tmp_path: Path) -> None:
    """The fault's last update is overwritten by the first of recovery."""
    after = [update(20 + k / 10, k, "filler of recovery") for k in range(20)]
    run = plant(tmp_path, [*FILLER, update(19.9, 5), update(20.1, 5), *after])
    assert [taken(run, LOST, phase).value for phase in ("fault", "recovery")] == [1.0, 0.0]


def test_without_enough_answers_there_is_no_number(tmp_path: Path) -> None:
    """What was refused, or says no numbers, shows nothing."""
    refused = [update(11 + k / 100, k, outcome="fail") for k in range(30)]
    mute = [operation(12 + k / 100, key="a", response="{}") for k in range(30)]
    why = "only 19 POST /trades succeeded of those due in fault of off; the metric takes at least 20"
    assert taken(plant(tmp_path, [*refused, *mute, *FILLER[1:]]), LOST).why == why
