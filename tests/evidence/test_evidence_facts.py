"""What several runs say together: medians of those that proved something, and no run left out of the count."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce

import msgspec
from seen import CODE, body

from lab.evidence import shown
from lab.evidence.facts import Body, alike, counts, joined, rows
from lab.record import ClaimSpec


def together(*bodies: Body) -> Body:
    """All of them in one."""
    return reduce(joined, bodies)


def test_the_median_is_of_runs_that_decided_and_each_run_is_counted() -> None:
    """An UNKNOWN run is UNKNOWN for every claim, and its number is in no median and no range."""
    all_three = together(body(1, value=480), body(2, value=520), body(3, "UNKNOWN", 9_000, 2), body(3, value=500))
    first = next(rows(all_three))
    assert (first.runs, first.held, first.failed, first.unknown) == (4, 3, 0, 1)
    assert (first.low, first.median, first.high) == (480, 500, 520)
    assert shown.held(first) == "3 of 4 (1 UNKNOWN)"
    assert (shown.middle(first), shown.reach(first)) == ("500 ms", "480 ms to 520 ms")


def test_a_failed_run_is_in_the_median() -> None:
    """Only what proves nothing is left out."""
    first = next(rows(together(body(1, value=480), body(2, "FAIL", 100))))
    assert (first.low, first.high) == (100, 480)


def test_a_claim_without_a_number_says_so() -> None:
    """No run measured it: a dash, and no range."""
    first = next(rows(body(value=None)))
    assert (shown.middle(first), shown.reach(first)) == ("–", "")


def test_a_censored_value_is_at_least_that_much() -> None:
    """The sign stands before the median and the higher end."""
    known = body(1, value=480)
    late = body(2, value=520)
    run = late.runs[0]
    censored = msgspec.structs.replace(run.claims[0], censored=True)
    late = msgspec.structs.replace(late, runs=[msgspec.structs.replace(run, claims=[censored, *run.claims[1:]])])
    first = next(rows(together(known, late)))
    assert (shown.middle(first), shown.reach(first)) == ("≥ 500 ms", "480 ms to ≥ 520 ms")


def test_invariants_add_up_what_was_checked() -> None:
    """Violations of all operations that all runs checked."""
    one, two = next(counts(body())), next(counts(together(body(1), body(2))))
    assert one.checked > 0
    assert (two.found, two.checked, two.held) == (2 * one.found, 2 * one.checked, 2)
    assert shown.found(two) == f"0 violations of {two.checked:,}"


def test_the_words_are_the_newest_runs() -> None:
    """A claim that was renamed is the same claim; the later run names it."""
    old, new = body(1, number=1), body(2, number=2)
    renamed: list[ClaimSpec] = [replace(new.claims[0], text="renamed"), *new.claims[1:]]
    new = msgspec.structs.replace(new, claims=renamed)
    assert alike(old, new)
    for both in (joined(old, new), joined(new, old)):
        assert both.claims[0].text == "renamed"
        assert [run.seed for run in both.runs] == [1, 2]
    assert both.digest == CODE


def test_claims_of_other_bounds_are_not_alike() -> None:
    """Their runs do not belong into one row."""
    one = body()
    tighter = msgspec.structs.replace(one, claims=[replace(one.claims[0], at_least=476), *one.claims[1:]])
    assert not alike(one, tighter)


def test_verdicts_and_seeds_in_words() -> None:
    """As chapters and the index say them."""
    assert shown.verdicts(body()) == "1 of 1 run PASS"
    mixed = together(body(1), body(2), body(3, "UNKNOWN"), body(3, "FAIL", number=1))
    assert shown.verdicts(mixed) == "2 PASS, 1 FAIL, 1 UNKNOWN of 4 runs"
    assert shown.seeds(mixed) == "1 to 3"
    assert (shown.seeded(mixed), shown.seeded(body(1))) == ("seeds 1 to 3", "seed 1")
    assert shown.seeds(together(body(1), body(7))) == "1, 7"
    assert shown.in_short(body()).startswith("1 of 1 run PASS, local, seed 1, last 20")
