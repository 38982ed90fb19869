"""Faults of a run: in force in all of their window, on time, out otherwise; judged from the probes of the record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from small_runs import Story, tell

from lab import faults
from lab.faults.kit.plain import spec as plain
from lab.model import Fault, Link, Role, Service
from lab.record import (
    ClockFacts,
    Condition,
    Dose,
    LinkSpec,
    MemberSpec,
    PhaseSpec,
    PhaseWindow,
    Receipt,
    Run,
    read_run,
    write_record,
    write_table,
)
from lab.verdict.conditions import conditions
from lab.verdict.fault_conditions import fault_conditions

exchange, payments, ledger = (Service(name) for name in ("exchange", "payments", "ledger"))
charge, book = Link(exchange, payments), Link(exchange, ledger)
LATE = faults.latency(charge, ms=65)
WINDOWS = [PhaseWindow("baseline", 0, 5), PhaseWindow("fault", 5, 17), PhaseWindow("recovery", 17, 30)]
FORGED = Dose("whatever", "whatever", True)

Probes = Callable[[str, str, float], "tuple[str, float | None]"]  # target, path, time: outcome and latency


@dataclass(frozen=True)
class Played:
    """What happened in both variants of a run of 30 s with a fault from 5 to 17 s: in time, and seen by its probes."""

    fault: Fault = LATE
    resolved: Fault | None = None
    probes: Probes = lambda target, path, at_s: ("answered", 66.0 if path == "through" and 5 < at_s < 17 else 1.0)
    looked: Callable[[str, float], bool] = lambda target, at_s: True
    receipt: tuple[tuple[str, Any], ...] = ()
    watched: tuple[tuple[str, str], ...] = ((charge.name, "through"), (charge.name, "beside"))

    def told(self, **more: Any) -> Played:
        """With something else in the receipts of the last variant."""
        return replace(self, receipt=tuple(more.items()))


def run_of(path: Path, played: Played) -> Run:
    """The run on disk, opened; what is told otherwise is told of variant `on` alone."""
    run = tell(path, Story())
    asked = plain(played.fault)
    record = replace(
        run.record,
        spec=replace(
            run.record.spec,
            members=[MemberSpec(each.name, "service") for each in (exchange, payments, ledger)],
            links=[LinkSpec(each.name, each.caller.name, each.callee.name) for each in (charge, book)],
            phases=[PhaseSpec(w.name, w.end_s - w.start_s, [asked] if w.name == "fault" else []) for w in WINDOWS],
        ),
        episodes=[
            replace(episode, phases=WINDOWS, receipts=[_receipt(played, episode.variant == "on")])
            for episode in run.record.episodes
        ],
    )
    write_record(path, record)
    write_table(path, "probes", [row for variant in ("off", "on") for row in _rows(played, variant)])
    return read_run(path)


def _receipt(played: Played, changed: bool) -> Receipt:
    receipt = Receipt(
        plain(played.fault), "fault", 5.02, 17.03, {}, FORGED, "fault#1", 5.0, 17.0,
        plain(played.resolved) if played.resolved else None,
    )  # fmt: skip
    return replace(receipt, **dict(played.receipt)) if changed else receipt


def _rows(played: Played, variant: str) -> Iterator[dict[str, Any]]:
    well = Played(played.fault, watched=played.watched)
    for target, path in played.watched:
        for n in range(301):
            at_s = n / 10 + (0.05 if path == "beside" else 0.0)
            told = (
                played if variant == "on" else replace(well, probes=played.probes if played.resolved else well.probes)
            )
            if told.looked(target, at_s):
                outcome, latency_ms = told.probes(target, path, at_s)
                row = {"target": target, "path": path, "at_s": at_s, "outcome": outcome, "latency_ms": latency_ms}
                yield {"trial": 1, "variant": variant, **row}


def unmet(path: Path, played: Played) -> dict[str, str]:
    """The conditions of faults that are not met, with why."""
    return {each.name: each.text for each in fault_conditions(run_of(path, played)) if not each.met}


def after(since_s: float, then: float, until_s: float = 99.0) -> Probes:
    """Through the link 66 ms in the fault, and from a moment on something else."""

    def look(target: str, path: str, at_s: float) -> tuple[str, float | None]:
        if path == "beside":
            return "answered", 1.0
        usual = 66.0 if 5 < at_s < 17 else 1.0
        return "answered", then if since_s <= at_s < until_s else usual

    return look


def test_a_fault_that_was_in_on_time_and_out_otherwise_meets_all(tmp_path: Path) -> None:
    """Three conditions, all met, and said so."""
    found = fault_conditions(run_of(tmp_path, Played()))
    assert [(each.name, each.met) for each in found] == [
        ("faults in force", True),
        ("faults on time", True),
        ("faults out", True),
    ]


def test_a_toxic_lost_by_itself_is_found_though_the_record_says_in_force(tmp_path: Path) -> None:
    """After 7.2 of 12 s it is gone, in one variant; `in_force` was written down as true, and does not help."""
    why = unmet(tmp_path, Played(probes=after(12.2, 1.0, 17.0)))
    assert list(why) == ["faults in force"]
    assert "payments +65 ms in fault, on" in why["faults in force"]
    assert "were answered in less than 52 ms through the link, from 12.2 to" in why["faults in force"]


def test_a_dose_that_was_written_down_as_missing_is_judged_again_too(tmp_path: Path) -> None:
    """The other way round: what an older judge took for missing is in force where its probes say so."""
    assert unmet(tmp_path, Played().told(dose=Dose("", "", False, "never"))) == {}


def test_a_toxic_that_is_never_taken_out_is_found_in_the_recovery(tmp_path: Path) -> None:
    """The receipt says removed; the probes of the recovery say that the recovery is the fault itself."""
    why = unmet(tmp_path, Played(probes=after(17.0, 66.0)))
    assert list(why) == ["faults out"]
    assert why["faults out"].startswith(
        "a fault was in force outside its phases, or its absence is not shown, at exchange->payments (recovery, on): "
    ), why


def test_a_toxic_that_is_in_before_its_phase_is_found_in_the_baseline(tmp_path: Path) -> None:
    """A link that was never well is no baseline."""
    assert "(baseline, on)" in unmet(tmp_path, Played(probes=after(0.0, 66.0, 5.0)))["faults out"]


@pytest.mark.parametrize(
    ("times", "words"),
    [
        ({"injected_s": 9.5}, "the fault was injected 4.50 s after its phase began, where 0.60 s are allowed"),
        ({"removing_s": 15.0}, "began to be removed 2.00 s before its phase ended, where 0.60 s are allowed"),
        ({"removed_s": 19.0}, "was removed 2.00 s after its phase ended, where 0.60 s are allowed"),
        ({"removed_s": None}, "the fault was never removed"),
    ],
)
def test_a_fault_that_does_not_keep_its_phase_is_not_on_time(tmp_path: Path, times: dict[str, Any], words: str) -> None:
    """In 4.5 s late, out 2 s early or late, or never out: beyond 0.25 s and 5 % of the window."""
    assert words in unmet(tmp_path, Played().told(**times))["faults on time"]


def test_a_process_has_the_time_it_takes_to_start_again(tmp_path: Path) -> None:
    """A killed process is out when it answers again; the page says how long that may take, and no longer."""
    dead = Played(
        fault=faults.kill(payments),
        probes=lambda target, path, at_s: ("refused", None) if 5 < at_s < 19.5 else ("answered", 1.0),
        watched=(("payments", "beside"),),
        resolved=faults.kill(payments),
    )
    assert "faults on time" not in unmet(tmp_path / "1", dead.told(removed_s=19.5))
    assert "where 3.60 s are allowed" in unmet(tmp_path / "2", dead.told(removed_s=21.0))["faults on time"]


def test_the_members_may_be_asked_first_who_plays_the_role(tmp_path: Path) -> None:
    """A fault at a leader has a quarter of a second more to go in, and not the five seconds of an election."""
    cut = faults.at(Role("callee", [payments, ledger], gauge="x"), lambda it: LATE, "callee late")
    played = Played(fault=cut, resolved=LATE)
    assert unmet(tmp_path / "1", played.told(injected_s=5.8)) == {}
    assert "where 0.85 s are allowed" in unmet(tmp_path / "2", played.told(injected_s=9.5))["faults on time"]


def test_what_went_wrong_with_a_restart_is_told(tmp_path: Path) -> None:
    """An error in the receipt is a fault that did not go as asked."""
    why = unmet(tmp_path, Played().told(read_back={"error": "payments: port taken"}))
    assert "payments: port taken" in why["faults on time"]


def test_who_might_have_been_hit_is_watched_in_all_phases(tmp_path: Path) -> None:
    """A fault went in at one of two; the other one, which nobody asked for, has it as well: that is found."""
    watched = tuple((link.name, path) for link in (charge, book) for path in ("through", "beside"))
    cut = faults.at(
        Role("callee", [payments, ledger], gauge="x"),
        lambda it: faults.silence(charge if it == payments else book),
        "callee silent",
    )

    def only(*silent: str) -> Probes:
        return lambda target, path, at_s: (
            ("timeout", None) if path == "through" and target in silent and 5 < at_s < 17 else ("answered", 1.0)
        )

    played = Played(fault=cut, resolved=faults.silence(charge), watched=watched, probes=only(charge.name))
    assert unmet(tmp_path / "1", played) == {}
    both = replace(played, probes=only(charge.name, book.name))
    assert "exchange->ledger (fault, off)" in unmet(tmp_path / "2", both)["faults out"]


@pytest.mark.parametrize(
    ("gap", "name", "words"),
    [
        ((5.0, 7.0), "faults in force", "the canary did not look at exchange->payments from 5.0 to 7.1 s"),
        ((15.0, 17.1), "faults in force", "did not look at exchange->payments from 14.9 to 17.0 s"),
        ((17.0, 19.0), "faults out", "did not look at exchange->payments from 17.0 to 19.1 s"),
        ((28.0, 30.1), "faults out", "did not look at exchange->payments from 27.9 to 30.0 s"),
        ((0.0, 30.1), "faults in force", "too few probes"),
    ],
)
def test_a_time_that_was_not_looked_at_is_not_proved(
    tmp_path: Path, gap: tuple[float, float], name: str, words: str
) -> None:
    """At either end of a phase, with the fault or without, or never: nothing is known."""
    played = Played(looked=lambda target, at_s: not gap[0] <= at_s <= gap[1])
    assert words in unmet(tmp_path, played)[name]


def test_each_of_two_equal_faults_has_a_receipt_of_its_own(tmp_path: Path) -> None:
    """The same fault twice in a phase and one receipt: the second was never injected."""
    run = run_of(tmp_path, Played())
    phases = [replace(p, faults=p.faults * 2) for p in run.record.spec.phases]
    twice = replace(run, record=replace(run.record, spec=replace(run.record.spec, phases=phases)))
    assert "it was never injected" in fault_conditions(twice)[0].text


def test_older_records_keep_their_doses(tmp_path: Path) -> None:
    """Without names and ids a fault cannot be made again: what was judged then stands, and no more is asked."""
    assert all(condition.met for condition in fault_conditions(tell(tmp_path / "1", Story())))
    missing = Story(dose=Dose("silence", "45 of 45 answered", False))
    found = fault_conditions(tell(tmp_path / "2", missing))
    assert [each.met for each in found] == [False, True, True]


@pytest.mark.parametrize(
    ("clock", "words"),
    [
        (ClockFacts(3000.0, 0.0), "the wall clock moved +3,000 ms against the steady clock during on"),
        (ClockFacts(-51.0, 0.0), "moved -51 ms"),
        (ClockFacts(2000.0, 2000.0), "this machine was suspended for 2.0 s during on"),
        (ClockFacts(49.0, 0.1), ""),
    ],
)
def test_clocks_that_part_prove_nothing(tmp_path: Path, clock: ClockFacts, words: str) -> None:
    """A step of the wall clock beyond 50 ms either way, and a machine that slept, are conditions not met."""
    run = run_of(tmp_path, Played())
    episodes = [replace(e, clock=clock if e.variant == "on" else ClockFacts(0.1, 0.0)) for e in run.record.episodes]
    found = conditions(replace(run, record=replace(run.record, episodes=episodes)))
    clocks: Condition = next(each for each in found if each.name == "clocks steady")
    assert clocks.met is not bool(words)
    assert words in clocks.text
