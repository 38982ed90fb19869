"""converged: rejects each planted difference between replicas, accepts equal ones."""

from __future__ import annotations

from typing import Any

import pytest
from rows import operations

from lab.checkers.converged import converged
from lab.checkers.history import Finding, History

STATE = {"registers": {"k": "1"}, "sets": {"s": ["a", "b"]}, "counters": {"c": 3}}


def checked(*states: Any, least: int = 1) -> Finding:
    """What the checker says of replicas a, b, c with these states."""
    names = "abc"[: len(states)]
    return converged(History(operations([]), dict(zip(names, states, strict=True))), ", ".join(names), least=least)


def test_equal_replicas() -> None:
    """The same keys and values, in whatever order of keys."""
    assert checked(STATE, dict(reversed(STATE.items())), STATE).verdict == "PASS"


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({**STATE, "registers": {"k": "2"}}, 'registers k: c has "2", and the others "1"'),
        ({**STATE, "sets": {}}, 'sets s: c has nothing, and the others ["a", "b"]'),
        ({**STATE, "counters": {"c": 4}}, "counters c: c has 4, and the others 3"),
        ({**STATE, "registers": {"k": "1", "k2": "x"}}, 'registers k2: c has "x", and the others nothing'),
    ],
)
def test_a_difference_is_told(other: Any, words: str) -> None:
    """The anomaly names the key and the replica that is apart."""
    found = checked(STATE, STATE, other)
    assert found.verdict == "FAIL"
    assert [anomaly.text for anomaly in found.anomalies] == [words]


def test_what_was_not_seen_is_unknown() -> None:
    """No readback, one replica, no keys."""
    assert checked(STATE).verdict == "UNKNOWN"
    assert converged(History(operations([]), {"a": STATE}), "a, a").verdict == "UNKNOWN"
    assert checked(STATE, None).verdict == "UNKNOWN"
    assert checked({}, {}).verdict == "UNKNOWN"
    assert checked(STATE, STATE, least=4).verdict == "UNKNOWN"
