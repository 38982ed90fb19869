"""Judging: three values, UNKNOWN first, and nothing passes unmeasured."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from small_runs import HELPS, HURTS, P50, Story, tell

from lab.record import ClaimSpec, Dose, InvariantSpec, MetricSpec
from lab.record.words import quantity
from lab.verdict import judge

SOUND = Story()
LENIENT = replace(HELPS, at_most=60_000)
NOT_REACHED = {"barrier": "between-work-and-ack", "reached": False, "within_s": 1.5, "state": "running"}
RATIO = ClaimSpec("a tenth", "on", "fault", P50, at_most=0.1, of="off")


def verdict(tmp_path: Path, story: Story) -> tuple[str, str]:
    """The run's verdict and its first reason."""
    judgement = judge(tell(tmp_path, story))
    return judgement.verdict, judgement.reasons[0]


def test_a_run_whose_claims_hold_passes(tmp_path: Path) -> None:
    """The control hurts, the pattern helps: PASS, and the reason counts the claims about the pattern."""
    assert verdict(tmp_path, SOUND) == ("PASS", "1 of 1 claims held")


def test_a_claim_beyond_its_bound_fails(tmp_path: Path) -> None:
    """The control hurts and the pattern does not help: FAIL, with the measured value and the bound."""
    outcome, reason = verdict(tmp_path, replace(SOUND, on_ms=(1000,)))
    assert outcome == "FAIL"
    assert reason == '"it helps" is 1,000 ms, asked at most 50 ms'


@pytest.mark.parametrize(
    ("story", "words"),
    [
        (replace(SOUND, off_ms=(5,)), 'the control does not hurt: "it hurts" is 5 ms, asked at least 900 ms'),
        (replace(SOUND, dose=Dose("silence", "198 of 198 answered", False)), "the fault was not in force"),
        (replace(SOUND, dose=None), "it was never injected"),
        (replace(SOUND, read_back=NOT_REACHED), "no operation came by between-work-and-ack within 1.5 s"),
        (replace(SOUND, skip_every=2), "100 of 200 arrivals of off are not in the record; the first is number 0"),
        (replace(SOUND, deaths=["payments ended: exit code 1"]), "a service ended unasked"),
        (replace(SOUND, late_ms=400), "the load generator fell behind: p99 of start lateness was 400.0 ms in "),
        (
            replace(SOUND, lost_worker="died (killed by signal 9) after 19.9 s"),
            "the load was not reached: load worker 1 on far (off) died (killed by signal 9) after 19.9 s",
        ),
        (replace(SOUND, busy_share=0.97), "CPU was 97% busy in fault of on; at most 90% leaves room"),
        (
            replace(SOUND, busy_share=0.5, hiccup_p99_ms=44.0),
            "this machine woke a sleeping process 44.0 ms late (p99) in fault of on; beyond 10 ms that shapes",
        ),
        (
            replace(SOUND, busy_share=0.5, hiccup_p99_ms=44.0, stolen_share=0.031),
            "(p99) in fault of on, while its host gave 3.1% of its CPU time to other virtual machines; beyond 10 ms",
        ),
        (replace(SOUND, busy_share=0.5, hiccup_p99_ms=44.0, stolen_share=0.001), "(p99) in fault of on; beyond 10 ms"),
        (replace(SOUND, missing_variant="on"), "the run is not complete: 1 of 2 episodes completed"),
        (replace(SOUND, never_answered="on", claims=[HURTS, LENIENT]), "how much more is not known"),
        (replace(SOUND, claims=[HURTS, replace(RATIO)], never_answered="off"), "off is only known to be at least"),
        (
            replace(SOUND, claims=[HURTS, ClaimSpec("x", "on", "fault", MetricSpec("no_such_metric", ""), at_most=1)]),
            "could not be measured",
        ),
    ],
)  # fmt: skip
def test_what_proves_nothing_is_unknown(tmp_path: Path, story: Story, words: str) -> None:
    """Where a condition is not met, or a number cannot be had, the verdict is UNKNOWN and says why."""
    outcome, reason = verdict(tmp_path, story)
    assert outcome == "UNKNOWN"
    assert words in reason


def test_a_free_machine_says_how_free(tmp_path: Path) -> None:
    """The condition that is met gives both figures; of a record without a hiccup meter only the one."""
    free = [
        next(c for c in judge(tell(tmp_path / name, story)).conditions if c.name == "host not saturated")
        for name, story in [("new", replace(SOUND, busy_share=0.2, hiccup_p99_ms=0.6)), ("old", SOUND)]
    ]
    assert all(condition.met for condition in free)
    assert "20% busy in fault of on; at worst it woke a sleeping process 0.6 ms late (p99)" in free[0].text
    assert "woke" not in free[1].text


def test_unknown_comes_before_fail(tmp_path: Path) -> None:
    """A claim beyond its bound fails nothing while the fault was not in force."""
    story = replace(SOUND, on_ms=(1000,), dose=Dose("silence", "answered", False, "the link answered"))
    assert verdict(tmp_path, story)[0] == "UNKNOWN"


def test_a_value_only_known_to_be_at_least_the_bound_still_fails(tmp_path: Path) -> None:
    """Operations that were never answered count as at least the timeout, which is beyond 50 ms."""
    outcome, reason = verdict(tmp_path, replace(SOUND, never_answered="on"))
    assert outcome == "FAIL"
    assert "at least 4,000 ms" in reason


def test_a_claim_of_another_variant_is_a_ratio(tmp_path: Path) -> None:
    """`of` divides by the other variant's value in the same phase and trial."""
    result = judge(tell(tmp_path, replace(SOUND, claims=[HURTS, RATIO]))).claims[1]
    assert result.value == pytest.approx(0.005)
    assert result.verdict == "PASS"


def test_judging_again_gives_the_same(tmp_path: Path) -> None:
    """The same record, the same judgement."""
    run = tell(tmp_path, replace(SOUND, off_ms=(1000,) * 5, on_ms=(5, 6, 7, 8, 30)))
    assert judge(run) == judge(run)


def once(**more: list[str]) -> InvariantSpec:
    """The invariant of these tests."""
    return InvariantSpec("once", "exactly_once", {"readback": "charges"}, **more)


EFFECTS = [f"k{n}" for n in range(200)]


def test_a_violated_invariant_fails_with_the_operations_that_show_it(tmp_path: Path) -> None:
    """A charge too many: FAIL, and the anomaly names the operation."""
    story = replace(SOUND, invariants=[once()], readbacks={"charges": {"effects": [*EFFECTS, "k7"]}})
    judgement = judge(tell(tmp_path, story))
    assert judgement.verdict == "FAIL"
    assert judgement.invariants[0].anomalies[0].operations == [7]


def test_all_violations_are_counted_and_the_first_are_kept(tmp_path: Path) -> None:
    """A hundred lost effects are counted as a hundred, though a reader is shown the first few."""
    story = replace(SOUND, invariants=[once()], readbacks={"charges": {"effects": EFFECTS[100:]}})
    broken = judge(tell(tmp_path, story)).invariants[0]
    assert (broken.violations, len(broken.anomalies)) == (100, 20)


def test_a_kept_invariant_passes_and_counts_what_was_checked(tmp_path: Path) -> None:
    """One effect for each acknowledged operation: PASS in both variants."""
    story = replace(SOUND, invariants=[once()], readbacks={"charges": {"effects": EFFECTS}})
    judgement = judge(tell(tmp_path, story))
    assert judgement.verdict == "PASS"
    assert [result.checked for result in judgement.invariants] == [200, 200]


def test_an_invariant_without_its_readback_is_unknown(tmp_path: Path) -> None:
    """Nothing to hold the history against: UNKNOWN, not PASS."""
    assert verdict(tmp_path, replace(SOUND, invariants=[once()]))[0] == "UNKNOWN"


@pytest.mark.parametrize(("variant", "called"), [("off", "the control off"), ("on", "variant on")])
def test_an_invariant_that_was_to_break_and_holds_proves_nothing(tmp_path: Path, variant: str, called: str) -> None:
    """Where a variant is meant to break it, and keeps it: UNKNOWN; only the first one is called the control."""
    story = replace(SOUND, invariants=[once(broken_in=[variant])], readbacks={"charges": {"effects": EFFECTS}})
    outcome, reason = verdict(tmp_path, story)
    assert outcome == "UNKNOWN"
    assert reason.startswith(f'{called} does not break "once": ')


def test_an_unknown_checker_or_argument_is_unknown(tmp_path: Path) -> None:
    """A record of another lab may name what this one lacks."""
    for spec in (InvariantSpec("x", "no_such", {}), InvariantSpec("x", "exactly_once", {"nonsense": 1})):
        judgement = judge(tell(tmp_path / spec.check, replace(SOUND, invariants=[spec])))
        assert judgement.verdict == "UNKNOWN"


@pytest.mark.parametrize(
    ("value", "text"), [(1899.5, "1,900 ms"), (50, "50 ms"), (5.125, "5.12 ms"), (0.0312, "0.0312 ms"), (0, "0 ms")]
)
def test_quantities_read_well(value: float, text: str) -> None:
    """Three figures that matter, thousands apart, and the unit."""
    assert quantity(value, HELPS) == text


@pytest.mark.parametrize(
    ("value", "claim", "text"),
    [
        (0.99898, replace(HELPS, metric=MetricSpec("success_ratio", ""), at_most=None, at_least=0.999), "0.99898"),
        (50.03, HELPS, "50.03 ms"),
        (50.0, HELPS, "50 ms"),
        (49.99999, HELPS, "49.99999 ms"),
    ],
)
def test_a_value_never_reads_like_a_bound_that_it_is_not(value: float, claim: ClaimSpec, text: str) -> None:
    """As many digits as it takes until they differ."""
    assert quantity(value, claim, 50.0 if claim.at_most else 0.999) == text


def test_a_checker_that_breaks_down_is_not_called_with_wrong_arguments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A TypeError inside of it is its own, and the run is UNKNOWN."""

    def broken(history: object, readback: str) -> None:
        raise TypeError("unhashable type: 'list'")

    monkeypatch.setattr(sys.modules["lab.checkers.exactly_once"], "exactly_once", broken)
    result = judge(tell(tmp_path, replace(SOUND, invariants=[once()]))).invariants[0]
    assert result.verdict == "UNKNOWN"
    assert result.why == "checker \"exactly_once\" failed: TypeError: unhashable type: 'list'"
