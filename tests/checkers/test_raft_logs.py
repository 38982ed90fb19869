"""The checkers of a replicated log: each rejects what was planted, accepts its mended twin, and guesses nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from registers import history, write

from lab import checkers
from lab.checkers.history import Finding, History

Entry = list[Any]
NAMES = "a, b, c"


def put(index: int, term: int, value: str, key: str = "x") -> Entry:
    """An entry that writes; its checksum is that of nothing else."""
    return [index, term, hash((key, value)) & 0xFFFFFFFF, key, value]


def noop(index: int, term: int) -> Entry:
    """What a leader appends on its election."""
    return [index, term, 7, None, None]


def log(
    name: str,
    entries: Sequence[Entry],
    leaders: Sequence[tuple[int, str]] = ((1, "a"),),
    snapshot_index: int = 0,
    tail: Sequence[Entry] = (),
) -> dict[str, Any]:
    """A member's answer."""
    said = {"name": name, "leaders": list(leaders), "snapshot_index": snapshot_index, "entries": list(entries)}
    return {**said, "tail": list(tail)}


def checked(name: str, *members: dict[str, Any], operations: History | None = None) -> Finding:
    """What the checker finds in these members' logs."""
    read = {member["name"]: member for member in members}
    past = operations or history([write(0, 0, 1, "1")])
    return checkers.run(name, History(past.operations, read), {"readbacks": NAMES})


LOG = [noop(1, 1), put(2, 1, "1"), put(3, 1, "2"), noop(4, 2), put(5, 2, "3")]
LED = ((1, "a"), (2, "b"))

ONE_LEADER = {
    "two of one term, each heard by itself": (
        [log("a", [], [(1, "a")]), log("b", [], [(1, "b")]), log("c", [])],
        [log("a", [], [(1, "a")]), log("b", [], [(2, "b")]), log("c", [])],
        "term 1 had 2 leaders: a (says a, c), b (says b)",
    ),
    "two of one term, heard by the same": (
        [log("a", [], LED), log("b", [], LED), log("c", [], [*LED, (2, "a")])],
        [log("a", [], LED), log("b", [], LED), log("c", [], [*LED, (3, "a")])],
        "term 2 had 2 leaders: a (says c), b (says a, b, c)",
    ),
    "one that nobody remembers but those it led": (
        [log("a", [], []), log("b", [], [(4, "a")]), log("c", [], [(4, "c")])],
        [log("a", [], []), log("b", [], [(4, "c")]), log("c", [], [(4, "c")])],
        "term 4 had 2 leaders",
    ),
}
C = [log("c", LOG)]
MATCHING = {
    "another command at an index": (
        [log("a", LOG), log("b", [*LOG[:4], put(5, 2, "other")]), log("c", LOG)],
        [log("a", LOG), log("b", LOG), log("c", LOG)],
        "index 5 was committed twice: by a in term 2",
    ),
    "the same command of another term": (
        [log("a", LOG), log("b", LOG), log("c", [*LOG[:4], put(5, 3, "3")])],
        [log("a", LOG), log("b", LOG), log("c", LOG[:4])],
        "by c in term 3",
    ),
    "a gap": (
        [log("a", LOG), log("b", [*LOG[:2], *LOG[3:]]), log("c", LOG)],
        [log("a", LOG), log("b", LOG[2:], snapshot_index=2), log("c", LOG)],
        "b goes from index 2 to 4",
    ),
    "a term that falls": (
        [log("a", [put(1, 2, "1"), put(2, 1, "2")]), log("b", []), log("c", [])],
        [log("a", [put(1, 1, "1"), put(2, 2, "2")]), log("b", [put(1, 1, "1")]), log("c", [])],
        "a goes back from term 2 to 1 at index 2",
    ),
    "tails that agree in an entry and differ before it": (  # nothing of it is committed
        [
            log("a", LOG, tail=[put(6, 2, "x"), put(7, 3, "y")]),
            log("b", LOG, tail=[put(6, 3, "x"), put(7, 3, "y")]),
            *C,
        ],
        [
            log("a", LOG, tail=[put(6, 2, "x"), put(7, 3, "y")]),
            log("b", LOG, tail=[put(6, 3, "x"), put(7, 4, "y")]),
            *C,
        ],
        "a and b agree in term 3 at index 7, and differ at 6: by a in term 2",
    ),
    "two commands under one index and term of the tails": (
        [log("a", LOG, tail=[put(6, 2, "x")]), log("b", LOG, tail=[put(6, 2, "y")]), *C],
        [log("a", LOG, tail=[put(6, 2, "x")]), log("b", LOG, tail=[put(6, 3, "y")]), *C],
        "a and b agree in term 2 at index 6, and differ at 6",
    ),
    "a gap before the tail": (
        [log("a", LOG, tail=[put(7, 2, "x")]), log("b", LOG), *C],
        [log("a", LOG, tail=[put(6, 2, "x")]), log("b", LOG), *C],
        "a goes from index 5 to 7",
    ),
    "a log that begins after its snapshot": (
        [log("a", LOG), log("b", LOG[3:], snapshot_index=2), log("c", LOG)],
        [log("a", LOG), log("b", LOG[3:], snapshot_index=3), log("c", LOG)],
        "b goes from index 2 to 4",
    ),
}


@pytest.mark.parametrize("name", ONE_LEADER)
def test_one_leader_a_term(name: str) -> None:
    """Whoever heard of a second leader of a term gives it away; leaders of different terms are as it should be."""
    bad, mended, words = ONE_LEADER[name]
    found = checked("one_leader_a_term", *bad)
    assert found.verdict == "FAIL"
    assert words in found.anomalies[0].text
    assert checked("one_leader_a_term", *mended).verdict == "PASS"


@pytest.mark.parametrize("name", MATCHING)
def test_log_matching(name: str) -> None:
    """Two entries at one index, and an entry that lacks, are told with the members that show it."""
    bad, mended, words = MATCHING[name]
    found = checked("log_matching", *bad)
    assert found.verdict == "FAIL"
    assert words in found.anomalies[0].text
    assert checked("log_matching", *mended).verdict == "PASS"


def written(*said: tuple[str, str, int | None]) -> History:
    """Writes of `x`: value, outcome, and the index that the answer told."""
    past = history([write(n, n, n + 0.5, value) for n, (value, _, _) in enumerate(said)])
    for n, (_, outcome, index) in enumerate(said):
        past.operations.outcome[n] = outcome
        past.operations.response[n] = None if index is None else json.dumps({"index": index})
    return past


WHOLE = [log("a", LOG), log("b", LOG), log("c", LOG[:3])]
STAY = {
    "an acknowledged write that another took the place of": (
        written(("1", "ok", 2), ("2", "ok", 5)),
        written(("1", "ok", 2), ("2", "ok", 3)),
        "x = 2 was acknowledged at index 5, where a has x = 3 of term 2",
    ),
    "an acknowledged write that no log reaches": (
        written(("1", "ok", 2), ("9", "ok", 6)),
        written(("1", "ok", 2), ("9", "info", None)),
        "x = 9 was acknowledged at index 6, which no member has",
    ),
    "an acknowledged write where a leader's first entry stands": (
        written(("3", "ok", 4)),
        written(("3", "ok", 5)),
        "x = 3 was acknowledged at index 4, where a has None = None of term 2",
    ),
    "a refused write that came true": (
        written(("1", "ok", 2), ("2", "fail", None)),
        written(("1", "ok", 2), ("2", "info", None)),
        "x = 2 was refused, and a has it at index 3",
    ),
}


@pytest.mark.parametrize("name", STAY)
def test_acknowledged_stay(name: str) -> None:
    """Each lost or unwanted write is told by its operation; an unanswered one may go either way."""
    bad, mended, words = STAY[name]
    found = checked("acknowledged_stay", *WHOLE, operations=bad)
    assert found.verdict == "FAIL"
    assert words in [anomaly.text for anomaly in found.anomalies]
    assert found.anomalies[0].operations
    assert checked("acknowledged_stay", *WHOLE, operations=mended).verdict == "PASS"


def test_one_member_without_the_entry() -> None:
    """A single log that came so far and lacks the entry is enough; one that did not come so far is not."""
    past = written(("2", "ok", 3))
    assert (
        checked("acknowledged_stay", log("a", LOG), log("b", LOG[:2]), log("c", []), operations=past).verdict == "PASS"
    )
    gap = log("b", [*LOG[:2], *LOG[3:]])
    found = checked("acknowledged_stay", log("a", LOG), gap, log("c", []), operations=past)
    assert [anomaly.text for anomaly in found.anomalies] == ["x = 2 was acknowledged at index 3, where b has nothing"]


def test_a_majority_that_was_not_told() -> None:
    """An entry that no member knows to be committed is kept where a majority holds it, at its place and as it was."""
    past = written(("1", "ok", 2), ("3", "ok", 5))
    held, other = log("a", LOG[:4], tail=LOG[4:]), log("c", LOG[:4], tail=[put(5, 2, "4")])
    assert checked("acknowledged_stay", held, {**held, "name": "b"}, log("c", []), operations=past).verdict == "PASS"
    for rest in ([log("b", LOG[:4]), log("c", [])], [log("b", LOG[:4], tail=[put(6, 2, "3")]), other]):
        found = checked("acknowledged_stay", held, *rest, operations=past)
        assert [anomaly.text for anomaly in found.anomalies] == [
            "x = 3 was acknowledged at index 5, which only 1 of the members hold, and none as committed"
        ]
    told = log("c", [*LOG[:4], put(5, 2, "4")])
    assert checked("acknowledged_stay", held, {**held, "name": "b"}, told, operations=past).verdict == "FAIL"


def test_a_swap_writes_its_second_value() -> None:
    """A compare-and-set is found by what it writes."""
    past = written(('["0", "2"]', "ok", 3))
    assert checked("acknowledged_stay", *WHOLE, operations=past).verdict == "PASS"
    past.operations.value[0] = '["2", "0"]'
    assert checked("acknowledged_stay", *WHOLE, operations=past).verdict == "FAIL"


def test_a_value_that_cannot_be_read_is_named_and_equal_ones_are_one() -> None:
    """`[draft]` ends no judgement, and hides no loss of another write; 1 and 1.0 are one value."""
    found = checked("acknowledged_stay", *WHOLE, operations=written(("1.0", "ok", 2), ("[draft]", "ok", 3)))
    assert (found.verdict, found.why) == ("UNKNOWN", "operation 1 writes '[draft]', which is no JSON list")
    assert checked("acknowledged_stay", *WHOLE, operations=written(("1.0", "ok", 2))).verdict == "PASS"
    lost = written(("[draft]", "ok", 3), ("9", "ok", 2))
    assert checked("acknowledged_stay", *WHOLE, operations=lost).verdict == "FAIL"


@pytest.mark.parametrize("name", ["one_leader_a_term", "log_matching", "acknowledged_stay"])
def test_what_was_not_read_back_is_not_known(name: str) -> None:
    """A member without an answer, or with another kind of answer, makes the verdict UNKNOWN, and says which."""
    assert '"c"' in checked(name, *WHOLE[:2]).why
    strange = [*WHOLE[:2], {**WHOLE[2], "entries": "many"}]
    assert checked(name, *strange).verdict == "UNKNOWN"
    assert '"c" is no log' in checked(name, *strange).why


def test_nothing_to_check() -> None:
    """Empty logs, no leader, no acknowledged write, or one that a snapshot hides: UNKNOWN, never a pass."""
    empty = [log(name, [], []) for name in "abc"]
    assert checked("one_leader_a_term", *empty).verdict == "UNKNOWN"
    assert checked("log_matching", *empty).verdict == "UNKNOWN"
    assert checked("acknowledged_stay", *WHOLE, operations=written(("1", "info", None))).verdict == "UNKNOWN"
    assert "has no number" in checked("acknowledged_stay", *WHOLE, operations=written(("1", "ok", None))).why
    alone = [log("a", LOG), log("b", []), log("c", [])]
    why = "0 committed entries are held by two members; the checker takes at least 1"
    assert checked("log_matching", *alone).why == why
    read = {member["name"]: member for member in WHOLE}
    past = written(("1", "ok", 2))
    for name, more in (
        ("one_leader_a_term", {"least": 2}),
        ("log_matching", {"least": 6}),
        ("acknowledged_stay", {"least": 2}),
        ("acknowledged_stay", {"played_in": "cut"}),
    ):
        enough = checkers.run(name, History(past.operations, read), {"readbacks": NAMES})
        few = checkers.run(name, History(past.operations, read), {"readbacks": NAMES, **more})  # type: ignore[dict-item]
        assert (enough.verdict, few.verdict, "at least" in few.why) == ("PASS", "UNKNOWN", True), name
    late = [replace_log(member) for member in WHOLE]
    assert (
        "below every member's snapshot" in checked("acknowledged_stay", *late, operations=written(("1", "ok", 2))).why
    )


def replace_log(member: dict[str, Any]) -> dict[str, Any]:
    """The same, its first two entries in a snapshot."""
    return {**member, "snapshot_index": 2, "entries": member["entries"][2:]}
