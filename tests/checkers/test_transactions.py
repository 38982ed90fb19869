"""as_published, no_lost_update and one_stays: each rejects planted bad histories, and accepts their mended twins."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from transactions import Op, history

from lab.checkers.as_expected import as_expected
from lab.checkers.as_published import as_published
from lab.checkers.history import Finding
from lab.checkers.no_lost_update import no_lost_update
from lab.checkers.one_stays import one_stays


def told(found: Finding) -> list[tuple[str, list[int]]]:
    """What each anomaly says, and of which operations."""
    return [(anomaly.text, anomaly.operations) for anomaly in found.anomalies]


# --- as_published -----------------------------------------------------------------------------------------------

PUBLISHED = json.dumps({"weak": "no", "half": "read-only", "strong": "yes"})


def cell(row: str, prevented: str, value: str | None = PUBLISHED) -> Op:
    """A cell that was measured."""
    return Op({"row": row, "column": "G1a", "prevented": prevented}, value=value)


def published(*ops: Op) -> Finding:
    """What comes of these."""
    return as_published(history([*ops, Op("anything", operation="another")]), "it", "a paper")


@pytest.mark.parametrize(
    ("row", "bad", "mended"),
    [("strong", "no", "yes"), ("strong", "read-only", "yes"), ("half", "no", "read-only")],
)
def test_an_anomaly_that_is_published_as_prevented_is_rejected(row: str, bad: str, mended: str) -> None:
    """Also where it happens in one measurement of many; its mended twin passes."""
    found = published(cell(row, mended), cell(row, bad), cell("weak", "no"))
    expected = json.loads(PUBLISHED)[row]
    assert (found.verdict, found.checked) == ("FAIL", 3)
    assert told(found) == [(f"G1a: prevented {bad}, published {expected}", [1])]
    assert published(cell(row, mended), cell(row, mended), cell("weak", "no")).verdict == "PASS"


@pytest.mark.parametrize(("row", "measured"), [("weak", "yes"), ("weak", "read-only"), ("half", "yes")])
def test_a_server_that_has_become_stronger_passes_and_is_named(row: str, measured: str) -> None:
    """A level allows anomalies and promises none."""
    found = published(cell(row, measured))
    assert found.verdict == "PASS"
    assert f"or stronger (G1a: prevented {measured}" in found.why
    assert "stronger" not in published(cell("weak", "no")).why


def test_what_is_no_cell_proves_nothing() -> None:
    """Nor does a row of which nothing is published, nor an operation that failed."""
    assert published(Op("nothing", value=PUBLISHED)).verdict == "UNKNOWN"
    assert published(cell("strong", "perhaps")).verdict == "UNKNOWN"
    assert published(cell("unheard of", "yes")).verdict == "UNKNOWN"
    assert published(cell("strong", "yes", value=None)).verdict == "UNKNOWN"
    assert published(cell("strong", "yes")._replace(outcome="fail")).verdict == "UNKNOWN"


# --- no_lost_update ---------------------------------------------------------------------------------------------


def add(before: int, after: int, amount: int, outcome: str = "ok", key: str = "a") -> Op:
    """An addition as it was answered."""
    response = {"before": before, "after": after} if outcome == "ok" else None
    return Op(response, key, str(amount), outcome)


def updates(ops: list[Op], ends: Mapping[str, int]) -> Finding:
    """What comes of these."""
    noise = Op("of another kind", "a", "7", operation="another")
    return no_lost_update(history([*ops, noise], {"ends": ends}), "it", "books", "ends")


@pytest.mark.parametrize(
    ("bad", "mended", "words", "which"),
    [
        (
            ([add(0, 5, 5), add(5, 8, 3), add(5, 6, 1)], {"a": 6}),
            ([add(0, 5, 5), add(5, 8, 3), add(8, 9, 1)], {"a": 9}),
            "a: 2 updates were made of 5, one of them stayed",
            [1, 2],
        ),
        (  # nobody read the same, and yet one is not there
            ([add(0, 5, 5), add(5, 8, 3)], {"a": 5}),
            ([add(0, 5, 5), add(5, 8, 3)], {"a": 8}),
            "a: ended with 5, and 8 were acknowledged",
            [],
        ),
        (  # money that nobody paid in
            ([add(0, 5, 5)], {"a": 7}),
            ([add(0, 5, 5), add(5, 7, 2, "info")], {"a": 7}),
            "a: ended with 7, and 5 were acknowledged",
            [],
        ),
        (  # a refused one that counted
            ([add(0, 5, 5), add(5, 7, 2, "fail")], {"a": 7}),
            ([add(0, 5, 5), add(5, 7, 2, "fail")], {"a": 5}),
            "a: ended with 7, and 5 were acknowledged",
            [],
        ),
        (
            ([add(0, 6, 5)], {"a": 6}),
            ([add(0, 6, 6)], {"a": 6}),
            'a: the answer is {"before": 0, "after": 6}, which is no addition of 5',
            [0],
        ),
    ],
)
def test_a_lost_update_is_rejected_and_its_mended_twin_passes(
    bad: tuple[list[Op], dict[str, int]], mended: tuple[list[Op], dict[str, int]], words: str, which: list[int]
) -> None:
    """Two that read the same, an end that is not the sum, or an answer that does not add up."""
    found = updates(*bad)
    assert found.verdict == "FAIL"
    assert (words, which) in told(found)
    assert updates(*mended).verdict == "PASS"


def test_each_counter_is_on_its_own_and_lost_ones_are_counted() -> None:
    """The same number read of two counters is no conflict; of three that read the same two are lost."""
    assert updates([add(0, 5, 5), add(0, 5, 5, key="b")], {"a": 5, "b": 5}).verdict == "PASS"
    assert updates([add(0, n, n) for n in (1, 2, 3)], {"a": 3}).why.startswith("2 of 3 are lost")


def test_without_updates_or_ends_nothing_is_checked() -> None:
    """An empty check is UNKNOWN, never a pass."""
    assert updates([], {}).verdict == "UNKNOWN"
    assert updates([add(0, 1, 1, "fail")], {"a": 0}).verdict == "UNKNOWN"
    assert no_lost_update(history([add(0, 1, 1)], None), "it", "books", "ends").verdict == "UNKNOWN"


# --- one_stays --------------------------------------------------------------------------------------------------


def leave(who: str, granted: bool, group: str = "monday", outcome: str = "ok") -> Op:
    """A leave as it was answered."""
    return Op({"granted": granted}, group, who, outcome)


def leaves(ops: list[Op], there: Mapping[str, int]) -> Finding:
    """What comes of these."""
    return one_stays(
        history([*ops, Op("of another kind", "x", operation="another")], {"there": there}), "it", "books", "there"
    )


@pytest.mark.parametrize(
    ("bad", "mended", "words", "which"),
    [
        (
            ([leave("ann", True), leave("bob", True)], {"monday": 0}),
            ([leave("ann", True), leave("bob", False)], {"monday": 1}),
            "monday: none stays; leave was given to ann and bob",
            [0, 1],
        ),
        (  # one was told so, of the other nobody knows
            ([leave("ann", True), leave("bob", True, outcome="info")], {"monday": 0}),
            ([leave("ann", True), leave("bob", True, outcome="info")], {"monday": 1}),
            "monday: none stays; leave was given to ann",
            [0],
        ),
        (
            ([leave("ann", False)], {"tuesday": 0}),
            ([leave("ann", False)], {"tuesday": 1}),
            "tuesday: none stays; leave was given to no acknowledged request",
            [],
        ),
        (
            ([leave("ann", True)], {}),
            ([leave("ann", True)], {"monday": 1}),
            "monday: leave was given, and none has left",
            [0],
        ),
    ],
)
def test_a_group_that_all_have_left_is_rejected_and_its_mended_twin_passes(
    bad: tuple[list[Op], dict[str, int]], mended: tuple[list[Op], dict[str, int]], words: str, which: list[int]
) -> None:
    """With the leaves that were given, where there are some; and one that was given and not taken is told too."""
    found = leaves(*bad)
    assert found.verdict == "FAIL"
    assert told(found) == [(words, which)]
    assert leaves(*mended).verdict == "PASS"


def test_an_answer_that_says_neither_is_a_violation_and_an_empty_check_is_unknown() -> None:
    """Nothing passes unread."""
    assert leaves([Op({"allowed": True}, "monday", "ann")], {}).verdict == "FAIL"
    assert leaves([], {}).verdict == "UNKNOWN"
    few = one_stays(history([leave("ann", True)], {"there": {"monday": 1}}), "it", "books", "there", least=2)
    assert (few.verdict, few.why) == ("UNKNOWN", "only 1 groups had a it answered; the checker takes at least 2")
    late = history([leave("ann", True)], {"there": {"monday": 1}})
    late.operations.phase[:] = "load"
    assert one_stays(late, "it", "books", "there", played_in="load").verdict == "PASS"
    assert one_stays(late, "it", "books", "there", played_in="cut").verdict == "UNKNOWN"
    assert one_stays(history([leave("ann", True)], {}), "it", "books", "there").verdict == "UNKNOWN"


def test_as_expected_looks_at_one_kind_of_operation_where_it_is_told_so() -> None:
    """Values of other kinds are for other checkers."""
    ops = [Op({"total": 2}, value='{"total": 2}'), Op({}, value="17", operation="another")]
    assert as_expected(history(ops), "it").verdict == "PASS"
    assert as_expected(history(ops)).verdict == "UNKNOWN"


# --- what was not played, and what cannot be read ---------------------------------------------------------------


def test_a_cell_that_was_never_answered_is_named() -> None:
    """A server that answers 503 for G-single and G2 leaves these cells unplayed, whatever the others say."""
    played = cell("strong", "yes")._replace(key="G1a")
    refused = [Op(key=name, value=PUBLISHED, outcome="fail") for name in ("G-single", "G2")]
    found = published(played, *refused)
    assert (found.verdict, found.why) == ("UNKNOWN", "not played: G-single, G2; 1 cells were")
    assert published(cell("strong", "no")._replace(key="G1a"), *refused).verdict == "FAIL"


def test_an_amount_that_cannot_be_read_is_named() -> None:
    """An amount of 12.50 ends no judgement; 5 written as 5.0 is 5."""

    def added(value: str, after: int) -> Finding:
        op = Op({"before": 0, "after": after}, "a", value)
        return no_lost_update(history([op], {"accounts": {"a": after}}), "it", "books", "accounts")

    found = added("12.50", 12)
    why = "operation 0 adds '12.50' to a, which is no whole number above 0"
    assert (found.verdict, found.why) == ("UNKNOWN", why)
    assert added("5.0", 5).verdict == "PASS"


@pytest.mark.parametrize(("end", "verdict"), [(5 + 2 * 40, "PASS"), (5 + 2 * 20, "PASS"), (5 + 1, "FAIL"), (4, "FAIL")])
def test_forty_indeterminate_updates_take_no_forty_doublings(end: int, verdict: str) -> None:
    """Each of 40 additions of 2 may have happened or not: sums are looked for without trying every subset."""
    unsure = [Op(None, "a", "2", outcome="info") for _ in range(40)]
    acked = Op({"before": 0, "after": 5}, "a", "5")
    found = no_lost_update(history([acked, *unsure], {"accounts": {"a": end}}), "it", "books", "accounts")
    assert found.verdict == verdict


def test_too_many_indeterminate_updates_are_unknown() -> None:
    """Amounts too large to add up in reasonable time: the bound says so."""
    unsure = [Op(None, "a", str(10**12 + k), outcome="info") for k in range(40)]
    acked = Op({"before": 0, "after": 5}, "a", "5")
    found = no_lost_update(history([acked, *unsure], {"accounts": {"a": 3 * 10**12}}), "it", "books", "accounts")
    assert (found.verdict, found.why) == ("UNKNOWN", "a: 40 indeterminate updates are too many to add up")


@pytest.mark.parametrize("answer", [{"n": 1.0, "yes": 1}, {"n": "1", "yes": "true"}, {"n": 1, "yes": True}])
def test_a_value_is_the_same_however_it_is_written(answer: Mapping[str, object]) -> None:
    """1 and 1.0, true and 1 are the same value."""
    expected = json.dumps({"n": 1, "yes": True})
    assert as_expected(history([Op(answer, value=expected)])).verdict == "PASS"
    assert as_expected(history([Op({**answer, "n": 2}, value=expected)])).verdict == "FAIL"
