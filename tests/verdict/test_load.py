"""The load lies: late, thinned, moved, sent twice; and each is found from the record alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from small_runs import HELPS, HURTS, Story, tell

from lab.record import ClaimSpec, Judgement, MetricSpec
from lab.verdict import judge

P99 = MetricSpec("p99_ms", "ms", {"operation": "POST /trades", "of": "all"})
# What blocking-event-loop claims: a light request waits 40 ms and more with the loop blocked, at most 20 ms without.
WAITS = ClaimSpec("a health check waits", "off", "fault", P99, at_least=40, control=True)
QUICK = ClaimSpec("a health check does not wait", "on", "fault", P99, at_most=20)
SOUND = Story(per_s=50, off_ms=(80,), on_ms=(5,), claims=(WAITS, QUICK))
Row = dict[str, object]


def told(tmp_path: Path, story: Story) -> Judgement:
    """The run, judged."""
    return judge(tell(tmp_path, story))


def test_a_late_generator_is_no_blocked_loop(tmp_path: Path) -> None:
    """Nothing blocks, and every 40th arrival of the control is sent 70 ms late: its p99 is the generator's."""
    assert told(tmp_path / "sound", SOUND).verdict == "PASS"
    judgement = told(tmp_path / "late", replace(SOUND, off_ms=(2,), late_ms=70, late_every=40, late_in="off"))
    assert judgement.verdict == "UNKNOWN"
    assert "the control proves nothing" in judgement.reasons[0]
    assert "p99 of it in fault of off is 70 ms, and at most" in judgement.reasons[0]


def test_lateness_that_turns_a_verdict_is_told_though_it_is_small(tmp_path: Path) -> None:
    """Two milliseconds late are little against 40, but the control hurts by no more than that."""
    judgement = told(tmp_path, replace(SOUND, off_ms=(39,), late_ms=2, late_in="off"))
    assert judgement.claims[0].verdict == "UNKNOWN"
    assert "with each request sent when it was due, it is 39 ms, asked at least 40 ms" in judgement.claims[0].why


def test_lateness_does_not_fail_a_pattern(tmp_path: Path) -> None:
    """The pattern is quick, and its requests were sent too late: UNKNOWN, not FAIL."""
    judgement = told(tmp_path, replace(SOUND, late_ms=30, late_in="on"))
    assert judgement.claims[1].verdict == "UNKNOWN"


def test_a_pattern_that_is_slow_by_itself_fails_in_spite_of_some_lateness(tmp_path: Path) -> None:
    """500 ms are beyond 20 ms, whatever 4 ms of lateness did."""
    assert told(tmp_path, replace(SOUND, on_ms=(500,), late_ms=4)).claims[1].verdict == "FAIL"


def test_a_ratio_is_not_made_by_a_late_denominator(tmp_path: Path) -> None:
    """Half of the other's wait, which is half lateness."""
    half = ClaimSpec("half", "on", "fault", MetricSpec("p50_ms", "ms"), at_most=0.5, of="off")
    story = replace(SOUND, off_ms=(6,), on_ms=(5,), claims=(HURTS, half), late_ms=30, late_in="off")
    result = told(tmp_path, story).claims[1]
    assert result.verdict == "UNKNOWN"
    assert "rests on the load generator's lateness" in result.why


def test_a_gap_is_not_a_pause_of_the_generator(tmp_path: Path) -> None:
    """Sent 0.9 s late in one variant, requests succeed later: a second without a success that nothing broke."""
    gap = ClaimSpec("a gap", "off", "fault", MetricSpec("longest_gap_s", "s"), at_least=0.8, control=True)

    def stall(row: Row) -> Sequence[Row]:
        due_s = float(str(row["due_s"]))
        if row["variant"] != "off" or not 12 <= due_s < 12.9:
            return [row]
        return [{**row, "start_s": 12.9, "end_s": 12.98}]

    story = replace(SOUND, claims=(gap, QUICK), also=stall)
    result = told(tmp_path, story).claims[0]
    assert result.verdict == "UNKNOWN"
    assert "rests on the load generator's lateness" in result.why


def test_a_result_says_how_much_of_it_is_lateness(tmp_path: Path) -> None:
    """In the metric's unit."""
    judgement = told(tmp_path, replace(SOUND, late_ms=3))
    assert [result.late for result in judgement.claims] == [pytest.approx(3), pytest.approx(3)]


# --- the schedule -----------------------------------------------------------------------------------------------


def left_out(row: Row) -> Sequence[Row]:
    """One arrival in 25 of the variant `on` is not sent: 4 %, which once was near enough."""
    return [] if row["variant"] == "on" and int(str(row["n"])) % 25 == 7 else [row]


def sent_twice(row: Row) -> Sequence[Row]:
    """One arrival stands in the record twice."""
    return [row, row] if row["n"] == 7 else [row]


def moved(row: Row) -> Sequence[Row]:
    """A generator that says that what it sent late was due later."""
    return [{**row, "due_s": float(str(row["due_s"])) + 0.07} if row["n"] == 40 else row]


def invented(row: Row) -> Sequence[Row]:
    """One more than the schedule has."""
    return [row, {**row, "n": 5_000}] if row["n"] == 7 else [row]


@pytest.mark.parametrize(
    ("also", "words"),
    [
        (left_out, "40 of 1,000 arrivals of on are not in the record; the first is number 7, due at 0.15 s"),
        (sent_twice, "arrival 7 of off is in the record 2 times"),
        (moved, "arrival 40 of off is recorded as due at 0.880 s; by seed 7 it is 0.810 s"),
        (invented, "arrival 5000 of off is not among the 1,000 of the schedule"),
    ],
)
def test_every_arrival_of_the_schedule_is_in_the_record(tmp_path: Path, also: object, words: str) -> None:
    """Seed and load give the schedule again, and the record is held against it."""
    assert told(tmp_path / "sound", SOUND).verdict == "PASS"
    judgement = told(tmp_path, replace(SOUND, also=also))
    assert judgement.verdict == "UNKNOWN"
    assert judgement.reasons[0] == f"the load was not sent as scheduled: {words}"


def test_a_phase_holds_what_was_due_in_it(tmp_path: Path) -> None:
    """What the schedule was said to have due when it was made."""
    assert told(tmp_path / "sound", replace(SOUND, asked=(500, 500))).verdict == "PASS"
    judgement = told(tmp_path, replace(SOUND, asked=(500, 510)))
    words = "the load was not sent as scheduled: fault of off has 500 operations of 510 that were due"
    assert judgement.reasons == [words]


def test_each_claim_has_a_sample_of_its_own(tmp_path: Path) -> None:
    """Two logins among 500 operations give no median to judge, though the phase has operations enough."""
    logins = MetricSpec("p50_ms", "ms", {"operation": "POST /logins"})
    claim = ClaimSpec("a login is quick", "on", "fault", logins, at_most=50)

    def rename(row: Row) -> Sequence[Row]:
        return [{**row, "operation": "POST /logins"} if int(str(row["n"])) in (600, 700) else row]

    result = told(tmp_path, replace(SOUND, claims=(WAITS, HELPS, claim), also=rename)).claims[2]
    assert result.verdict == "UNKNOWN"
    few = "only 2 POST /logins operations were due in fault of on; the metric takes at least 20"
    assert result.why == f"could not be measured: {few}"
