"""The control: it must hurt, in the fault and not before it, and it never fails a pattern."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from small_runs import HELPS, HURTS, Story, tell

from lab.record import ClaimSpec, InvariantSpec, MetricSpec
from lab.verdict import judge

LOST = MetricSpec("requests_lost", "")
LOSES = ClaimSpec("requests are lost", "off", "fault", LOST, at_least=20, control=True)


def test_a_control_that_hurts_before_the_fault_proves_nothing(tmp_path: Path) -> None:
    """As slow in health as in the fault: the fault changed nothing."""
    judgement = judge(tell(tmp_path, Story(calm_ms=1000)))
    assert judgement.verdict == "UNKNOWN"
    assert (
        "the fault changed nothing in the control: in baseline, before it, the same is 1,000 ms" in judgement.reasons[0]
    )


def test_a_control_that_is_well_before_the_fault_says_so(tmp_path: Path) -> None:
    """The result carries what the control showed in health."""
    result = judge(tell(tmp_path, Story())).claims[0]
    assert (result.verdict, result.before) == ("PASS", pytest.approx(2))


def test_counts_are_compared_as_of_phases_of_one_length(tmp_path: Path) -> None:
    """25 lost in the fault, and as many in a baseline as long: UNKNOWN; a few in the baseline: PASS."""
    story = Story(claims=(LOSES, HELPS), lost={("off", 1): 25}, per_s=50)
    assert judge(tell(tmp_path / "few", replace(story, lost_calm=3))).verdict == "PASS"
    assert judge(tell(tmp_path / "many", replace(story, lost_calm=25))).verdict == "UNKNOWN"


def kept(*keys: int) -> dict[str, object]:
    """A readback that lists these."""
    return {"kept": {"effects": [f"k{n}" for n in keys]}}


def test_what_a_fault_took_was_there_before_it(tmp_path: Path) -> None:
    """97 writes were acknowledged when the readback was asked early: with all of them PASS, without one UNKNOWN."""
    taken = MetricSpec("acknowledged_lost", "", {"readback": "kept"})
    story = Story(claims=(replace(LOSES, metric=taken), HELPS), readbacks=kept(*range(150, 200)))
    assert judge(tell(tmp_path / "nobody-asked", story)).verdict == "PASS"
    there = judge(tell(tmp_path / "there", replace(story, early=kept(*range(97)))))
    assert there.verdict == "PASS"
    lacks_one = judge(tell(tmp_path / "lacks-one", replace(story, early=kept(*range(1, 97)))))
    assert (lacks_one.verdict, lacks_one.claims[0].before) == ("UNKNOWN", 1)
    assert "in baseline, before it, 1 of 97 acknowledged operations were not there" in lacks_one.reasons[0]
    silent = judge(tell(tmp_path / "silent", replace(story, early={})))
    assert silent.verdict == "UNKNOWN"
    assert 'the readback "kept" gave no list or object "effects" before the fault' in silent.reasons[0]


def test_a_place_that_is_written_later_may_lack_what_is_on_its_way(tmp_path: Path) -> None:
    """With `behind_s=2` the writes of the last two seconds are not looked for, and those before are."""
    late = MetricSpec("acknowledged_lost", "", {"readback": "kept", "behind_s": 2.0})
    story = Story(claims=(replace(LOSES, metric=late), HELPS), readbacks=kept(*range(150, 200)))
    assert judge(tell(tmp_path / "flushed", replace(story, early=kept(*range(77))))).verdict == "PASS"
    assert judge(tell(tmp_path / "lost", replace(story, early=kept(*range(76))))).verdict == "UNKNOWN"


def test_what_cannot_be_taken_before_the_fault_is_told_and_holds(tmp_path: Path) -> None:
    """No fault was injected in the baseline, so nothing was detected in it: the claim stands on the fault alone."""
    detected = ClaimSpec("found", "off", "fault", MetricSpec("detect_s", "s"), at_least=0.0001, control=True)
    result = judge(tell(tmp_path, Story(claims=(detected, HELPS), lost={("off", 1): 25}, per_s=50))).claims[0]
    assert result.before is None
    assert "baseline: could not be measured" in result.before_why


def test_a_control_that_does_not_hurt_is_not_failed(tmp_path: Path) -> None:
    """UNKNOWN, and it says "did not hurt"."""
    judgement = judge(tell(tmp_path, Story(off_ms=(5,))))
    result = judgement.claims[0]
    assert (result.verdict, result.did_not_hurt) == ("UNKNOWN", True)
    assert result.why == "did not hurt: is 5 ms, asked at least 900 ms"
    assert judgement.reasons == ['the control does not hurt: "it hurts" is 5 ms, asked at least 900 ms']


def test_a_control_that_could_not_be_measured_is_not_said_to_be_painless(tmp_path: Path) -> None:
    """What was not measured neither hurt nor did not."""
    unknown = replace(HURTS, metric=MetricSpec("no_such_metric", ""))
    judgement = judge(tell(tmp_path, Story(claims=(unknown, HELPS))))
    assert judgement.reasons[0].startswith('the control proves nothing: "it hurts" could not be measured')


def test_an_invariant_that_is_broken_before_the_fault_alone_proves_nothing(tmp_path: Path) -> None:
    """The control is meant to lose effects in the fault, and has lost one in health."""
    once = InvariantSpec("once", "exactly_once", {"readback": "charges"}, ["off"], ["off"])
    all_of_them = [f"k{n}" for n in range(200)]
    early, late = ([key for key in all_of_them if key != gone] for gone in ("k7", "k150"))
    for name, effects, verdict in (("early", early, "UNKNOWN"), ("late", late, "PASS")):
        story = Story(invariants=[once], readbacks={"charges": {"effects": effects}})
        result = judge(tell(tmp_path / name, story)).invariants[0]
        assert result.verdict == verdict, result.why


def test_a_violation_is_named_though_the_control_did_not_hurt(tmp_path: Path) -> None:
    """UNKNOWN as ever, but whoever reads it learns that the pattern broke what it has to keep."""
    once = InvariantSpec("once", "exactly_once", {"readback": "charges"}, ["on"])
    lacks = [f"k{n}" for n in range(200) if n != 150]
    story = Story(off_ms=(5,), invariants=[once], readbacks={"charges": {"effects": lacks}})
    judgement = judge(tell(tmp_path, story))
    assert judgement.verdict == "UNKNOWN"
    assert judgement.reasons[0].startswith("the control does not hurt")
    assert judgement.reasons[1].startswith('seen all the same: "once" in on: ')


def test_losses_of_the_calm_phase_alone_prove_nothing_either(tmp_path: Path) -> None:
    """A store that had lost it already looks the same, so a scenario needs losses that a fault alone can explain."""
    there = InvariantSpec("there", "recovered", {"readback": "charges"}, ["off"], ["off"])
    for name, gone, verdict in (("early", 7, "UNKNOWN"), ("late", 150, "PASS")):
        effects = [f"k{n}" for n in range(200) if n != gone]
        result = judge(tell(tmp_path / name, Story(invariants=[there], readbacks={"charges": {"effects": effects}})))
        assert result.invariants[0].verdict == verdict, result.invariants[0].why


def test_a_machine_of_which_nothing_is_known_is_not_called_idle(tmp_path: Path) -> None:
    """A record without the figures says so, and not "0 % busy"."""
    conditions = {c.name: c for c in judge(tell(tmp_path, Story())).conditions}
    assert conditions["host not saturated"].text == "how busy this machine was is not in the record"
