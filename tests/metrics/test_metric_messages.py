"""What became of messages, on histories planted by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from planted_runs import T0_EPOCH_S, Row, operation, plant, receipt, taken, told

from lab import metrics
from lab.metrics import Measured
from lab.model import Metric
from lab.record import Run

LOST, AGAIN = metrics.messages_lost("notifier"), metrics.messages_again("notifier")
CATCH_UP = metrics.catch_up_s("notifier")


def run_of(folder: Path, sent: list[Row], came: list[tuple[str, float]]) -> Run:
    """Publishes, and deliveries as (id, seconds since the load began), in the order in which they came."""
    received = [{"id": i, "subject": "s", "seq": 1, "at": T0_EPOCH_S + at_s} for i, at_s in came]
    return plant(folder, sent, readbacks={"notifier": {"received": received}})


def sent(key: str, due_s: float, outcome: str = "ok", wait_s: float | None = 0.0) -> Row:
    """One publish."""
    return operation(due_s, wait_s, outcome, key=key)


def near(value: float, censored: bool = False) -> Any:
    """The number, within rounding of the clock."""
    return told(pytest.approx(value, abs=1e-5), censored)  # type: ignore[arg-type]


def many(from_s: float, prefix: str, count: int = 20) -> tuple[list[Row], list[tuple[str, float]]]:
    """Messages acknowledged at once and received at once."""
    names = [(f"{prefix}{k}", from_s + k / 10) for k in range(count)]
    return [sent(name, at_s) for name, at_s in names], names


EARLY, EARLY_CAME = many(1, "early")
MIDDLE, MIDDLE_CAME = many(10.1, "middle")
LATE, LATE_CAME = many(21, "late")
FILLER = [*EARLY, *MIDDLE, *LATE]
FILLER_CAME = [*EARLY_CAME, *MIDDLE_CAME, *LATE_CAME]


def test_lost_are_those_acknowledged_and_never_received(tmp_path: Path) -> None:
    """Each message counts once, in the phase it was first due in; without an acknowledgement it cannot be lost."""
    publishes = [
        sent("a", 9), sent("b", 11), sent("c", 12), sent("c", 13), sent("d", 14, "info", None), sent("e", 19.9),
        sent("e", 20.1),
    ]  # fmt: skip
    run = run_of(tmp_path, [*publishes, *FILLER], [("b", 11), *FILLER_CAME])
    assert [taken(run, LOST, phase).value for phase in ("baseline", "fault", "recovery")] == [1, 2, 0]
    assert taken(run, LOST, "fault").n == 23


def test_what_was_not_acknowledged_in_the_phase_cannot_show_that_nothing_is_lost(tmp_path: Path) -> None:
    """A publisher that refuses every event in the cut loses none, and proves nothing."""
    refused = [sent(f"r{k}", 10.1 + k / 10, "fail") for k in range(90)]
    run = run_of(tmp_path, [*EARLY, *refused, *LATE], [*EARLY_CAME, *LATE_CAME])
    why = "no acknowledged messages were due in fault of off; the metric takes at least 20"
    assert taken(run, LOST) == told(None, why=why, n=0)
    assert taken(run, CATCH_UP).n == 20  # the baseline's, which were due to have come by the end of the fault
    only = run_of(tmp_path / "only", refused, [])
    assert taken(only, CATCH_UP, "fault").value is None


def test_again_counts_deliveries_beyond_the_first(tmp_path: Path) -> None:
    """Of the messages of the phase, whenever they came."""
    came = [("a", 11.0), ("b", 11.0), ("a", 12.0), ("a", 25.0), ("b", 26.0)]
    run = run_of(tmp_path, [sent("a", 11), sent("b", 21), *FILLER], [*came, *FILLER_CAME])
    assert [taken(run, AGAIN, phase).value for phase in ("fault", "recovery")] == [2, 1]


def behind(never: int, later: int, of: int = 43) -> str:
    """Why a run had not caught up in its ten seconds."""
    what = f"{never} never came and {later} came later"
    return f"had not caught up within the 10.0 s: of {of + 20} acknowledged messages {what}"


@pytest.mark.parametrize(
    ("came", "expected"),
    [
        ([("a", 15.9), ("b", 16.1)], near(0)),  # all within a second
        ([("a", 20.5), ("b", 22.5)], near(2.5)),  # the last late one came 2.5 s into the recovery
        ([("b", 20.5), ("a", 20.5), ("a", 28.0)], near(0.5)),  # that it came again says nothing
        ([("a", 20.5)], told(10.0, True, behind(1, 0))),  # b never came: it is still behind
        ([("a", 20.5), ("b", 31.0)], told(10.0, True, behind(0, 1))),
    ],
)
def test_catch_up_lasts_until_the_last_late_message(
    tmp_path: Path, came: list[tuple[str, float]], expected: Measured
) -> None:
    """Two messages were acknowledged at 15 s and 15.5 s; when did those that came late come?"""
    run = run_of(tmp_path, [sent("a", 15), sent("b", 15.5), sent("c", 21), *FILLER], [*came, ("c", 21.2), *FILLER_CAME])
    assert taken(run, CATCH_UP, "recovery") == expected


def test_what_is_not_late_yet_at_the_end_of_the_phase_does_not_count(tmp_path: Path) -> None:
    """A message of the phase's last second may come after it; one that was late at the end may not."""
    for published_s, expected in ((19.5, near(0)), (18.5, told(10, True, behind(0, 1, of=21)))):
        run = run_of(tmp_path / str(published_s), [sent("a", published_s), *FILLER], [("a", 24.0), *FILLER_CAME])
        assert taken(run, CATCH_UP, "fault") == expected


def test_nothing_delivered_is_not_caught_up(tmp_path: Path) -> None:
    """Acknowledged messages of which none ever came: at least the whole phase, not 0 s."""
    found = taken(run_of(tmp_path, FILLER, []), CATCH_UP, "recovery")
    assert (found.value, found.censored) == (10.0, True)


def test_deliveries_without_a_time_are_no_catching_up(tmp_path: Path) -> None:
    """Whether they came in time cannot be told."""
    received = [{"id": f"early{k}", "subject": "s", "seq": 1} for k in range(20)]
    run = plant(tmp_path, FILLER, readbacks={"notifier": {"received": received}})
    assert taken(run, CATCH_UP).why == 'the readback "notifier": 20 of its deliveries do not say `at` when'


def test_catching_up_begins_when_the_fault_is_out(tmp_path: Path) -> None:
    """A link that is mended 0.2 s after the phase's planned end: the delay until then is the fault's."""
    received = [{"id": i, "subject": "s", "seq": 1, "at": T0_EPOCH_S + at} for i, at in [("a", 22.5), *FILLER_CAME]]
    run = plant(
        tmp_path, [sent("a", 15), *FILLER], readbacks={"notifier": {"received": received}},
        receipts=[receipt(10.0, removed_s=20.2)],
    )  # fmt: skip
    assert taken(run, CATCH_UP, "recovery") == near(2.3)


@pytest.mark.parametrize("metric", [LOST, AGAIN, CATCH_UP], ids=lambda metric: metric.name)
def test_without_deliveries_nothing_is_measured(tmp_path: Path, metric: Metric) -> None:
    """A readback that is not there, or tells of something else, gives no number, and says why."""
    assert "gave no list" in taken(plant(tmp_path / "none", [sent("a", 11)]), metric).why
    other = plant(tmp_path / "other", [sent("a", 11)], readbacks={"notifier": {"received": ["a"]}})
    assert "is none of deliveries" in taken(other, metric).why
