"""agreement: rejects each planted violation of a log that Paxos would have kept, and accepts the log as it was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from rows import Row, operations

from lab.checkers.agreement import agreement
from lab.checkers.history import Finding, History

LOG = [[1, ["a", "b"]], [2, []], [3, ["c"]]]
ANSWERS: Mapping[str, int] = {"a": 1, "b": 1, "c": 3}


def checked(
    learned: Any = LOG,
    other: Any = LOG,
    votes: Any = (LOG, LOG, LOG[:1]),
    refused: tuple[str, ...] = (),
    again: tuple[Row, ...] = (),
    **more: Any,
) -> Finding:
    """What the checker says of two learners and three acceptors, and of clients some of which ask `again`."""
    rows = [Row(key, "fail" if key in refused else "ok", json.dumps({"slot": slot})) for key, slot in ANSWERS.items()]
    rows += again
    readbacks = {"p1": {"chosen": learned}, "p2": {"chosen": other}}
    readbacks |= {f"a{n}": {"votes": each} for n, each in enumerate(votes)}
    return agreement(History(operations(rows), readbacks), "p1, p2", "a0, a1, a2", **more)


def test_a_log_that_is_well() -> None:
    """One value a slot; an acceptor that has not heard of all changes nothing, nor a learner that began late."""
    assert checked().verdict == "PASS"
    assert checked(other=LOG[2:]).verdict == "PASS"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"other": [[1, ["c"]]]}, "slot 1: p2 has learned c, and a majority of acceptors hold a, b"),
        ({"votes": (LOG, LOG[:2], LOG[:2])}, "slot 3: p1 has learned c, and no majority holds it"),
        ({"votes": (LOG, [[1, ["a"]]], [[1, ["a"]]]), "learned": [], "other": []}, "b was acknowledged in slot 1"),
        ({"votes": ([*LOG, [4, ["x"]]],) * 3}, "slot 4 holds x, which no client proposed"),
        ({"votes": ([*LOG, [4, ["c"]]],) * 3}, "c was chosen in slot 3 and again in slot 4"),
        ({"refused": ("c",)}, "slot 3 holds c, which was refused"),
    ],
)
def test_a_violation_is_told(given: dict[str, Any], words: str) -> None:
    """The anomaly names the slot and what stands there."""
    found = checked(**given)
    assert found.verdict == "FAIL"
    assert any(words in anomaly.text for anomaly in found.anomalies), found.anomalies


def test_an_id_that_is_asked_for_again() -> None:
    """One refusal does not undo an acknowledgement, and an answer that is missing does not hide what is lost."""
    assert checked(again=(Row("c", "fail"),)).verdict == "PASS"
    assert checked(refused=("c",), again=(Row("c", "info"),)).verdict == "PASS"
    assert checked(refused=("c",), again=(Row("c", "fail"),)).verdict == "FAIL"
    lost = checked(LOG[:2], LOG[:2], (LOG[:2],) * 3, again=(Row("c", "info"),))
    assert (lost.verdict, [each.operations for each in lost.anomalies]) == ("FAIL", [[2]])


def test_what_was_not_seen_is_unknown() -> None:
    """A readback that is missing, or none, and a phase without acknowledged commands."""
    rows = operations([Row("a", response='{"slot": 1}')])
    assert agreement(History(rows, {}), "p1", "a0").verdict == "UNKNOWN"
    assert agreement(History(rows, {"p1": {}, "a0": {}}), "p1", "a0").verdict == "UNKNOWN"
    assert checked(played_in="killed").verdict == "UNKNOWN"
    rows = operations([Row("a", response="{}")])
    readbacks = {"p1": {"chosen": []}, "a0": {"votes": []}}
    assert agreement(History(rows, readbacks), "p1", "a0").verdict == "UNKNOWN"
