"""no_add_lost: rejects each planted loss, accepts what an OR-set and a PN-counter would hold."""

from __future__ import annotations

from typing import Any

import pytest
from rows import Row, operations

from lab.checkers.history import Finding, History
from lab.checkers.no_add_lost import no_add_lost

ROWS = [
    Row("s/a", operation="add"),
    Row("s/b", operation="add"),
    Row("s/c", operation="add", outcome="info"),
    Row("s/d", operation="add", outcome="fail"),
    Row("s/b", operation="remove", response='{"removed": true}'),
    Row("n", operation="count", value="2"),
    Row("n", operation="count", value="3", outcome="info"),
]
STATE = {"members": ["s/a"], "counters": {"n": 2}}


def checked(one: Any = STATE, other: Any = STATE, rows: list[Row] = ROWS, **more: Any) -> Finding:
    """What the checker says of two replicas."""
    return no_add_lost(History(operations(rows), {"a": one, "b": other}), "a, b", **more)


def test_what_may_be() -> None:
    """An add or a count whose answer is missing may have happened or not."""
    assert checked().verdict == "PASS"
    more = {"members": ["s/a", "s/c"], "counters": {"n": 5}}
    assert checked(more, more).verdict == "PASS"


@pytest.mark.parametrize(
    ("one", "words"),
    [
        ({**STATE, "members": ["s/c"]}, "s/a was added, and not in a"),
        ({**STATE, "members": []}, "s/a was added, and not in a"),
        ({**STATE, "members": ["s/a", "s/b"]}, "s/b was removed, and is in a"),
        ({**STATE, "members": ["s/a", "s/z"]}, "s/z is in a, and no add put it there"),
        ({**STATE, "members": ["s/a", "s/d"]}, "s/d is in a, and no add put it there"),
        ({**STATE, "counters": {"n": 1}}, "n: a stands at 1, where 2 were acknowledged"),
        ({**STATE, "counters": {"n": 6}}, "n: a stands at 6, where 2 were acknowledged"),
    ],
)
def test_a_loss_is_told(one: Any, words: str) -> None:
    """The anomaly names the key, the element and the replica."""
    found = checked(one)
    assert found.verdict == "FAIL"
    assert [anomaly.text for anomaly in found.anomalies] == [words]


def test_a_removal_that_saw_nothing_takes_nothing() -> None:
    """Observed-remove: an add that the remover's replica had not seen stays; one without an answer may have seen it."""
    add, kept, gone = Row("s/a", operation="add"), {"members": ["s/a"]}, {"members": list[str]()}
    saw_nothing = Row("s/a", operation="remove", response='{"removed": false}')
    assert checked(kept, kept, [add, saw_nothing]).verdict == "PASS"
    assert checked(gone, gone, [add, saw_nothing]).verdict == "FAIL"
    for may_have in (Row("s/a", "info", operation="remove"), Row("s/a", operation="remove")):
        assert checked(kept, kept, [add, saw_nothing, may_have]).verdict == "PASS"
        assert checked(gone, gone, [add, saw_nothing, may_have]).verdict == "PASS"


def test_what_was_not_seen_is_unknown() -> None:
    """No readback, none of that form, no adds where some are asked for."""
    assert no_add_lost(History(operations(ROWS), {}), "a").verdict == "UNKNOWN"
    assert checked(one={"members": 3}).verdict == "UNKNOWN"
    assert checked(played_in="cut").verdict == "UNKNOWN"
