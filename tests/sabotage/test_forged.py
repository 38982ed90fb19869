"""Forged records: each edit changes what it says, the run it came from stays as it is, and the judge is asked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lab.record import ClaimSpec, Judgement, MetricSpec, Run, read_run
from lab.record.facts import ClaimResult
from lab.sabotage import offline
from lab.sabotage.edits import EDITS, PATTERN, Forged, forged
from lab.sabotage.forgery import Forgery, protected
from lab.sabotage.mutants import Excuse
from lab.verdict import judge

pytestmark = pytest.mark.e2e

EXAMPLE = Path(__file__).resolve().parents[2] / "reports" / "example" / "circuit-breaker"


@pytest.fixture(scope="module")
def run() -> Run:
    """The example: a run of circuit-breaker that passed."""
    return read_run(EXAMPLE)


def only(run: Run, edit: str, where: str) -> Forged:
    """One edit of a run."""
    return next(f for f in forged(Forgery.of(run)) if f.edit == edit and f.where.startswith(where))


def test_an_unchanged_forgery_is_judged_as_its_source(run: Run, tmp_path: Path) -> None:
    """Writing a run out again changes nothing that the judge looks at."""
    again = judge(Forgery.of(run).write(tmp_path / "run"))
    assert again.claims == judge(run).claims
    assert again.invariants == judge(run).invariants


def test_a_readback_lists_what_it_is_told_to(run: Run, tmp_path: Path) -> None:
    """Keys of the baseline stand in the control's readback, and in no other one, as the claim's metric counts them."""
    halves = ClaimSpec("", "off", "fault", MetricSpec("keys_listed", "", {"readback": "charges", "at": "effects"}))
    source = Forgery.of(run)
    source.record = replace(source.record, spec=replace(run.record.spec, claims=[replace(halves, control=True)]))
    changed = next(f for f in EDITS["control hurts before"](source)).forgery.write(tmp_path / "run")
    keys = {r["key"] for r in source.rows("operations", "off", "baseline") if r["key"]}
    assert keys <= set(changed.readbacks("off")["charges"]["effects"])
    assert changed.readbacks("on") == run.readbacks("on")


@pytest.mark.parametrize("metric", ["acknowledged_lost", "listed_ratio"])
def test_what_the_control_loses_is_missed_in_its_lists(run: Run, tmp_path: Path, metric: str) -> None:
    """Keys of the baseline stand in no readback of the control, late or early; another variant's stay."""
    source = Forgery.of(run)
    keys = {r["key"] for r in source.rows("operations", "off", "baseline") if r["key"]}
    for variant in ("off", "on"):
        write = {"readbacks": run.readbacks(variant), "early": {"at_s": 4.7, "answers": run.readbacks(variant)}}
        for kind, told in write.items():
            (tmp_path / kind).mkdir(exist_ok=True)
            (tmp_path / kind / f"1-{variant}.json").write_text(json.dumps(told))
    losses = ClaimSpec("", "off", "fault", MetricSpec(metric, "", {"readback": "charges", "at": "effects"}))
    source = replace(source, source=tmp_path)
    source.record = replace(source.record, spec=replace(run.record.spec, claims=[replace(losses, control=True)]))
    changed = next(f for f in EDITS["control hurts before"](source)).forgery.write(tmp_path / "run")
    early = changed.early("off")
    assert early is not None
    for listed in (changed.readbacks("off"), early.answers):
        assert listed["charges"]["effects"]
        assert not keys & set(listed["charges"]["effects"])
    assert changed.readbacks("on") == run.readbacks("on")


def test_every_edit_changes_something_and_leaves_the_source_alone(run: Run) -> None:
    """Each edit has a place in circuit-breaker, and none touches the forgery it starts from."""
    source = Forgery.of(run)
    untouched = source.copy()
    edits = list(forged(source))
    assert {f.edit for f in edits} == set(EDITS)
    assert (source.tables, source.record) == (untouched.tables, untouched.record)
    for f in edits:
        assert (f.forgery.tables, f.forgery.record) != (source.tables, source.record), f.edit


def test_a_late_load_moves_every_fortieth_arrival_of_one_variant(run: Run) -> None:
    """The other variant, and the due times, stay."""
    changed = only(run, "load late", "off").forgery
    before = {(r["variant"], r["n"]): r for r in Forgery.of(run).tables["operations"]}
    moved = [r for r in changed.tables["operations"] if r["start_s"] != before[r["variant"], r["n"]]["start_s"]]
    assert {r["variant"] for r in moved} == {"off"}
    assert all(r["n"] % 40 == 0 for r in moved)
    assert all(r["due_s"] == before[r["variant"], r["n"]]["due_s"] for r in moved)


def test_a_thinned_load_lacks_four_in_a_hundred(run: Run) -> None:
    """One variant has 4 % fewer operations."""
    changed = only(run, "load thinned", "on").forgery
    left = len(changed.rows("operations", "on")) / len(Forgery.of(run).rows("operations", "on"))
    assert left == pytest.approx(0.96, abs=0.001)


def test_a_lost_fault_lets_late_probes_through(run: Run) -> None:
    """After 60 % of the window every probe through the link is answered; before it none is."""
    changed = only(run, "fault lost", "fault").forgery
    window = next(w for w in run.record.episodes[0].phases if w.name == "fault")
    edge_s = window.start_s + 0.6 * (window.end_s - window.start_s)
    through = [r for r in changed.rows("probes", "off") if r["path"] == "through"]
    assert {r["outcome"] for r in through if edge_s < r["at_s"] < window.end_s} == {"answered"}
    assert "answered" not in {r["outcome"] for r in through if window.start_s + 1 < r["at_s"] < edge_s}


@pytest.mark.parametrize(("edit", "moved"), [("fault late", True), ("fault late and denied", False)])
def test_a_late_fault_lets_early_probes_through(run: Run, edit: str, moved: bool) -> None:
    """In the first 40 % of the window every probe is answered, after that none; its receipt says so, or does not."""
    changed = only(run, edit, "fault").forgery
    window = next(w for w in run.record.episodes[0].phases if w.name == "fault")
    edge_s = window.start_s + 0.4 * (window.end_s - window.start_s)
    through = [r for r in changed.rows("probes", "on") if r["path"] == "through"]
    assert {r["outcome"] for r in through if window.start_s < r["at_s"] < edge_s} == {"answered"}
    assert "answered" not in {r["outcome"] for r in through if edge_s < r["at_s"] < window.end_s - 1}
    receipts = [[r.injected_s for r in record.episodes[0].receipts] for record in (changed.record, run.record)]
    assert (receipts[0] != receipts[1]) == moved


def test_a_fault_that_stays_shows_in_the_probes_after_it(run: Run) -> None:
    """No probe through the link is answered in recovery, as none was in the fault; beside it all still are."""
    changed = only(run, "fault never removed", "fault").forgery
    window = next(w for w in run.record.episodes[0].phases if w.name == "recovery")
    after = [r for r in changed.rows("probes", "on") if window.start_s < r["at_s"] < window.end_s]
    assert {r["outcome"] for r in after if r["path"] == "through"} == {"timeout"}
    assert {r["outcome"] for r in after if r["path"] == "beside"} == {"answered"}


def of_the_long_fault(run: Forgery) -> list[Forged]:
    """Edits by which it is never removed; the blip before it has its own."""
    return [each for each in EDITS["fault never removed"](run) if each.where == "fault"]


def test_a_fault_of_the_last_phase_cannot_stay(run: Run) -> None:
    """Where no phase follows, nothing is measured that it could touch: that is no edit."""
    last = Forgery.of(run)
    last.episodes(lambda episode: replace(episode, phases=[w for w in episode.phases if w.name != "recovery"]))
    assert not of_the_long_fault(last)


def test_a_process_that_stays_dead_shows_in_the_probes_after_it(run: Run) -> None:
    """Where the callee itself gave no answer, none is given on either path; a fault that left no trace is no edit."""
    dead, untouched = Forgery.of(run), Forgery.of(run)
    for source, outcome, ms in ((dead, "refused", None), (untouched, "answered", 1.0)):
        for episode in run.record.episodes:
            window = next(w for w in episode.phases if w.name == "fault")
            for row in source.rows("probes", episode.variant):
                if window.start_s <= row["at_s"] < window.end_s:
                    row["outcome"], row["latency_ms"] = outcome, ms
    assert not of_the_long_fault(untouched)
    (edit,) = of_the_long_fault(dead)
    window = next(w for w in run.record.episodes[0].phases if w.name == "recovery")
    after = [r for r in edit.forgery.rows("probes", "on") if window.start_s < r["at_s"] < window.end_s]
    assert {(r["path"], r["outcome"]) for r in after} == {("through", "refused"), ("beside", "refused")}


def test_a_pattern_that_is_off_is_caught(run: Run, tmp_path: Path) -> None:
    """The control's record under the pattern's name fails."""
    edit = only(run, "pattern off", "on")
    assert judge(edit.forgery.write(tmp_path / "run")).verdict == "FAIL"


def test_the_protected_variants_are_those_that_promise_something(run: Run) -> None:
    """The control and variants without claims are none."""
    assert protected(run.record) == ["on"]


def test_where_a_claim_has_to_fail_an_invariant_alone_is_not_enough(run: Run) -> None:
    """A pattern that refuses everything has to be caught by a claim on its work, in its own variant."""
    edit = Forged("e", "on", Forgery.of(run), PATTERN, "claim", "on")
    claim = ClaimSpec("works", "on", "fault", MetricSpec("success_ratio", ""), at_least=0.9)
    other = ClaimSpec("works", "off", "fault", MetricSpec("success_ratio", ""), at_least=0.9)

    def judged(verdict: str, spec: ClaimSpec) -> Judgement:
        return Judgement("FAIL", ["why"], [], [ClaimResult(spec, verdict, 0.1, "")], [])  # type: ignore[arg-type]

    assert offline.caught(edit, judged("FAIL", claim))
    assert not offline.caught(edit, judged("FAIL", other))
    assert not offline.caught(edit, judged("PASS", claim))


def test_an_excuse_is_kept_beside_its_result_and_catches_nothing(run: Run) -> None:
    """It says why a forged record may pass; the result stays what it is."""
    excuse = Excuse("circuit-breaker", "pattern off", "on", "because")
    results = [r for r in offline.sabotage(run, [excuse]) if r.name == "pattern off"]
    assert [r.excuse for r in results] == ["because"]
    assert [r.caught for r in results] == [True]
