"""Detection, recovery and gaps, planted by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
from planted_runs import PHASES, Row, operation, plant, receipt, taken, told

from lab import metrics
from lab.metrics import Measured

close: Any = pytest.approx
HEALTHY = [operation(k / 5, 0.01) for k in range(150)]  # five a second, over all phases


def steady(per_s: int, from_s: float, to_s: float, *bad: tuple[float, float]) -> list[Row]:
    """So many arrivals a second, answered within 10 ms, and failing where due within one of `bad`."""
    dues = [from_s + k / per_s for k in range(round((to_s - from_s) * per_s))]
    return [operation(due, 0.01, "fail" if any(a <= due < b for a, b in bad) else "ok") for due in dues]


# --- detection --------------------------------------------------------------------------------------------------


def test_detection_is_the_first_failure_because_of_the_fault(tmp_path: Path) -> None:
    """From when the injection began, not from when it was read back; one in flight by then may be the first victim."""
    victim = operation(9.9, 1.35, "info")  # answered at 11.25
    run = plant(
        tmp_path,
        [*steady(50, 0, 10), victim, *steady(50, 11, 20, (11, 20))],
        receipts=[receipt(10.6, began_s=10.25)],
    )
    assert taken(run, metrics.detect_s()) == told(close(11.01 - 10.25))


def test_failures_before_the_fault_was_read_back_count(tmp_path: Path) -> None:
    """A kill takes effect before the lab has proof of it: what fails in between is its doing."""
    rows = [*steady(50, 0, 10.1), *steady(50, 10.1, 20, (10.1, 20))]
    run = plant(tmp_path, rows, receipts=[receipt(10.3, began_s=10.05)])
    assert taken(run, metrics.detect_s()) == told(close(0.06))
    old = plant(tmp_path / "old", rows, injected_s=10.3)  # a record that does not say when it began
    assert taken(old, metrics.detect_s()) == told(close(0.01), n=485)


def test_a_fault_that_went_in_after_the_phase_was_not_detected_in_it(tmp_path: Path) -> None:
    """There is no time left in which a caller could see it: no number, and none below 0."""
    run = plant(tmp_path, steady(50, 0, 20), receipts=[receipt(21.01, began_s=21.0)])
    found = taken(run, metrics.detect_s())
    assert (found.value, found.why) == (None, "the fault was injected 1.00 s after the end of fault of off")


def test_a_failure_of_the_usual_kind_detects_nothing(tmp_path: Path) -> None:
    """One 404 at 0.1 s into the fault, which shows 1.5 s later: detection takes 1.5 s."""
    stray = operation(10.1, 0.01, "fail", status=404)
    run = plant(tmp_path, [*steady(50, 0, 11.5), stray, *steady(50, 11.5, 20, (11.5, 20))], receipts=[receipt(10.0)])
    assert taken(run, metrics.detect_s()) == told(close(1.51))
    alone = plant(tmp_path / "alone", [*steady(50, 0, 20), stray], receipts=[receipt(10.0)])
    assert taken(alone, metrics.detect_s()) == told(10.0, True, "no caller saw the fault")


def test_a_background_of_failures_is_taken_off(tmp_path: Path) -> None:
    """One operation in twenty fails before the fault and in it: nothing is detected; all fail from 15 s on: that is."""

    def rows(*bad: tuple[float, float]) -> list[Row]:
        return [{**row, "outcome": "fail"} if k % 20 == 7 else row for k, row in enumerate(steady(50, 0, 20, *bad))]

    quiet = plant(tmp_path / "a", rows(), receipts=[receipt(10.0)])
    assert taken(quiet, metrics.detect_s()).censored
    loud = plant(tmp_path / "b", rows((15, 20)), receipts=[receipt(10.0)])
    assert taken(loud, metrics.detect_s()).value == close(5, abs=0.4)
    broken = plant(tmp_path / "c", steady(50, 0, 20, (0, 20)), receipts=[receipt(10.0)])
    assert taken(broken, metrics.detect_s()).why.startswith("100% of the operations failed before the fault")


def test_callers_without_an_answer_detect_by_giving_up(tmp_path: Path) -> None:
    """With no responses, detection is the first caller's timeout."""
    lost = [operation(10.5 + k, None, "info") for k in range(4)]
    run = plant(tmp_path, [*HEALTHY[:50], *lost], receipts=[receipt(10.0, began_s=10.0)])
    assert taken(run, metrics.detect_s()) == told(4.5)


def test_an_unseen_fault_is_censored_and_an_absent_one_unmeasured(tmp_path: Path) -> None:
    """A fault that no caller saw took at least the rest of its phase; without a fault there is nothing to detect."""
    late = operation(21, 0.1, "fail")
    seen = taken(plant(tmp_path / "a", [*HEALTHY, late], injected_s=10.5), metrics.detect_s())
    assert seen == told(9.5, censored=True, why="no caller saw the fault")
    absent = taken(plant(tmp_path / "b", HEALTHY), metrics.detect_s())
    assert absent.why == "no fault was injected in fault of off"


# --- recovery ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        ([], told(0.0)),
        ([(20, 23)], told(close(2.98))),  # the last failure: due at 22.98
        ([(20, 21), (24.5, 24.6)], told(close(4.58))),  # a relapse
        ([(21, 21.01)], told(0.0)),  # one failure in ten seconds of 50/s is 99.8 %
        ([(26.9, 27)], told(close(6.98))),  # just 3 s left
        ([(20, 30)], told(close(9.6), True, "did not recover within the 10.0 s")),  # the last 20 arrivals fail
        ([(27.5, 27.6)], told(close(7.52), True, "did not recover within the 10.0 s")),  # healthy for 2.4 s only
        ([(29.9, 30)], told(close(9.6), True, "did not recover within the 10.0 s")),
    ],
)  # fmt: skip
def test_recovery_lasts_until_the_last_failure_that_is_no_chance(
    tmp_path: Path, bad: list[tuple[float, float]], expected: Measured
) -> None:
    """Fifty arrivals a second: recovered is the moment after which failures are what a healthy system shows."""
    assert taken(plant(tmp_path, steady(50, 20, 30, *bad)), metrics.recovery_s(), "recovery") == expected


def test_a_constant_half_percent_of_failures_is_no_lack_of_recovery(tmp_path: Path) -> None:
    """Fifty arrivals a second of which 0.5 % fail at random, in a hundred runs: none fails to recover."""
    found = []
    for seed in range(100):
        random = Random(seed)
        rows = [operation(20 + k / 50, 0.01, "fail" if random.random() < 0.005 else "ok") for k in range(500)]
        found.append(taken(plant(tmp_path / str(seed), rows), metrics.recovery_s(), "recovery"))
    assert [answer for answer in found if answer.value != 0 or answer.censored] == []


def test_what_still_fails_here_and_there_has_not_recovered(tmp_path: Path) -> None:
    """One in twelve fails from the start to the end, never many at once: at least 0 s, and the reason."""
    rows = [{**row, "outcome": "fail"} if k % 12 == 7 else row for k, row in enumerate(steady(50, 20, 30))]
    found = taken(plant(tmp_path, rows), metrics.recovery_s(), "recovery")
    assert found == told(0.0, True, "42 of the 500 operations after that still fail", 500)


def test_the_baseline_says_what_is_usual(tmp_path: Path) -> None:
    """The same one in twelve is the usual of a variant whose baseline has it too; a baseline of one in five is none."""

    def rows(every: int) -> list[Row]:
        return [{**row, "outcome": "fail"} if k % every == 1 else row for k, row in enumerate(steady(50, 0, 30))]

    usual = plant(tmp_path / "a", rows(12), broken=["fault"])
    assert taken(usual, metrics.recovery_s(), "recovery") == told(0.0, n=500)
    ill = taken(plant(tmp_path / "b", rows(5), broken=["fault"]), metrics.recovery_s(), "recovery")
    assert ill.why == "20% fail in the baseline of off: there is no health to recover"


def test_an_answer_that_comes_ten_seconds_late_is_no_recovery(tmp_path: Path) -> None:
    """Ten seconds without an answer, then all of them at once: success by due time is 1, and nothing has recovered."""
    rows = [operation(20 + k / 50, 10 - k / 50 + 0.1) for k in range(500)]
    run = plant(tmp_path, rows)
    assert taken(run, metrics.success_ratio(), "recovery").value == 1
    assert taken(run, metrics.goodput_per_s(), "recovery").value == 0
    assert taken(run, metrics.recovery_s(), "recovery") == told(close(9.02), True, "did not recover within the 10.0 s")
    assert taken(run, metrics.recovery_s(within_s=20), "recovery") == told(0.0)


def test_recovery_counts_from_when_the_fault_was_out(tmp_path: Path) -> None:
    """A fault taken out 0.2 s after its phase's planned end: failures until then are its own."""
    rows = steady(50, 20, 30, (20, 20.18))
    run = plant(tmp_path, rows, receipts=[receipt(10.0, removed_s=20.2, removing_s=20.05)])
    assert taken(run, metrics.recovery_s(), "recovery") == told(0.0, n=490)
    assert taken(run, metrics.success_ratio(), "recovery") == told(1.0, n=490)
    assert taken(run, metrics.requests_lost(), "recovery") == told(9.0, n=500)  # a loss is a loss


def test_recovery_takes_three_seconds_of_arrivals_to_show(tmp_path: Path) -> None:
    """A phase of 2 s, one whose last 3 s have no arrivals, and one of 19 arrivals show no recovery."""
    short = type(PHASES[0])("recovery", 20.0, 22.0)
    run = plant(tmp_path / "a", steady(50, 20, 22), phases=[short])
    assert (
        taken(run, metrics.recovery_s(), "recovery").why == "recovery of off lasts 2.0 s; a recovery takes 3 s to show"
    )
    run = plant(tmp_path / "b", steady(50, 20, 22))
    assert taken(run, metrics.recovery_s(), "recovery").why == "nothing was due in the last 3 s of recovery of off"
    assert taken(plant(tmp_path / "c", steady(2, 20.4, 30)[:19]), metrics.recovery_s(), "recovery").n == 19


# --- gaps -------------------------------------------------------------------------------------------------------


def tries(ok: Sequence[float], failed: Sequence[float] = ()) -> list[Row]:
    """Operations answered at once; thirty failures at one moment of the fault make a sample."""
    rows = [*(operation(at_s, 0.0) for at_s in ok), *(operation(at_s, 0.0, "fail") for at_s in failed)]
    return [*rows, *(operation(12.0, 0.0, "fail") for _ in range(30))]


@pytest.mark.parametrize(
    ("ok", "gap_s"),
    [
        ([9.9, 11, 12, 15.5, 19.9, 20.1], 4.4),  # between two successes
        ([7, 13, 16, 19, 20.5], 6.0),  # under way when the phase began: from its own beginning
        ([11, 12, 13, 25], 12.0),  # not over when the phase ended: to its own end
        ([1, 9, 10.5, 20.5], 10.0),  # a gap before the phase is another's
    ],
)
def test_the_longest_gap(tmp_path: Path, ok: list[float], gap_s: float) -> None:
    """Success by success, whenever it was due; both ends by one rule."""
    assert taken(plant(tmp_path, tries(ok)), metrics.longest_gap_s()) == told(close(gap_s))


def test_a_gap_that_never_ends_is_followed_to_the_last_attempt(tmp_path: Path) -> None:
    """Successes at 12 s and 19 s, then only failures until 30 s: at least 11 s, not 7."""
    run = plant(tmp_path, tries([11.9, 12, 19], [20, 25, 29.999]))
    assert taken(run, metrics.longest_gap_s()) == told(close(10.999), True)
    lost = plant(tmp_path / "lost", [*tries([11.9, 12, 19]), operation(29.0, None, "info")])
    assert taken(lost, metrics.longest_gap_s()) == told(14.0, True)  # its caller gave up at 33 s


def test_a_gap_before_the_first_success_is_at_least_that_long(tmp_path: Path) -> None:
    """By the same rule: nothing is known of the time before the first attempt."""
    run = plant(tmp_path, tries([19, 20], [8]))
    assert taken(run, metrics.longest_gap_s()) == told(11.0, True)


def test_the_end_of_the_load_is_no_gap(tmp_path: Path) -> None:
    """Where the last attempts succeed, nothing is missing after them."""
    assert taken(plant(tmp_path, tries([11.5, 12, 18])), metrics.longest_gap_s()) == told(6.0)


def test_the_median_of_several_gaps(tmp_path: Path) -> None:
    """Gaps of 2, 4 and 3 s in three phases give 3 s in each of them; two phases, or an unknown one, give nothing."""
    ok = [0, 2, 3, 5, 6, 8, 9.9, 11, 15, 17, 19, 20.9, 22, 25, 27, 29, 29.99]
    thirty = [operation(at_s, 0.0, "fail") for at_s in (1.0, 12.0, 23.0) for _ in range(30)]
    run = plant(tmp_path, [*(operation(at_s, 0.0) for at_s in ok), *thirty])
    three = metrics.median_gap_s(over="baseline, fault, recovery")
    assert taken(run, three) == taken(run, three, "recovery") == told(close(3.0), n=3)
    elsewhere = metrics.median_gap_s(over="fault, recovery, recovery")
    assert taken(run, elsewhere, "baseline") == taken(run, metrics.longest_gap_s(), "baseline")
    two = taken(run, metrics.median_gap_s(over="baseline, fault"))
    assert two == told(None, why="only 2 phases are named in fault of off; the metric takes at least 3", n=2)
    none = taken(run, metrics.median_gap_s(over="baseline, fault, end"))
    assert none.why == "off did not come to end in trial 1: the run ended before"


def test_a_median_that_open_gaps_could_move_is_at_least_that(tmp_path: Path) -> None:
    """Two of three gaps have no end: the middle one is longer by an amount that is not known."""
    failed = [operation(at_s, 0.0, "fail") for at_s in (1.0, 12.0, 23.0) for _ in range(30)]
    rows = [*(operation(at_s, 0.0) for at_s in (0, 3, 6, 9, 11)), operation(29.0, 0.0, "fail"), *failed]
    run = plant(tmp_path, rows)
    assert taken(run, metrics.median_gap_s(over="baseline, fault, recovery")) == told(close(18.0), True, n=3)
    ends = plant(tmp_path / "ends", [*rows, operation(29.5, 0.0)])
    assert taken(ends, metrics.median_gap_s(over="baseline, fault, recovery")) == told(close(18.5), n=3)


def test_a_gap_over_an_edge_is_of_the_phase_that_has_its_half(tmp_path: Path) -> None:
    """It begins a moment before the next fault; one that fills phases counts in each of them."""
    ends_s = [k / 10 for k in range(300) if not 98 < k < 130]  # 3.2 s, of which baseline has 0.2
    run = plant(tmp_path, [operation(at_s, 0.0) for at_s in ends_s])
    over = metrics.median_gap_s(over="baseline, fault, recovery")
    assert (
        taken(run, metrics.longest_gap_s(), "baseline").value == taken(run, metrics.longest_gap_s()).value == close(3.2)
    )
    assert taken(run, over) == told(close(0.1), n=3)
    failed = [operation(k / 10, 0.0, "fail") for k in range(50, 300)]
    dead = plant(tmp_path / "dead", [*(operation(k / 10, 0.0) for k in range(50)), *failed])
    assert taken(dead, over) == told(close(25.0), True, n=3)


def test_a_gap_of_one_operation(tmp_path: Path) -> None:
    """Reads that go on do not hide that no write succeeds; of an operation that is not attempted there is no gap."""
    reads = [operation(10 + k / 10, 0.01, operation="read") for k in range(99)]
    writes = [{**row, "operation": "write"} for row in tries([9.9, 20], [10 + k / 2 for k in range(20)])]
    run = plant(tmp_path, [*reads, *writes])
    assert taken(run, metrics.longest_gap_s("write")) == told(close(10.1), n=50)
    other = taken(run, metrics.longest_gap_s("other"))
    assert other == told(None, why="no other was due in fault of off", n=0)


def test_no_attempt_in_the_phase_is_no_gap_of_its_length(tmp_path: Path) -> None:
    """Writes before and after a phase without any say nothing of it."""
    rows = [operation(k / 10, 0.0) for k in range(100)] + [operation(20 + k / 10, 0.0) for k in range(50)]
    assert taken(plant(tmp_path, rows), metrics.longest_gap_s()).why == "no operation was due in fault of off"
