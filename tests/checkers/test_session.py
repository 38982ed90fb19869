"""session: rejects each planted violation of either guarantee, accepts its mended twin, and what it cannot tell."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from registers import history, lost, read, write

from lab.checkers._operation import Op
from lab.checkers.history import Finding
from lab.checkers.session import Guarantee, session

OWN: Guarantee = "read-your-writes"
MONOTONIC: Guarantee = "monotonic-reads"
WRITES = [write(0, 1.0, 1.1, "a"), write(1, 3.0, 3.2, "b")]


def checked(guarantee: Guarantee, ops: Sequence[Op]) -> Finding:
    """What the checker says."""
    return session(history(ops, "session-1"), guarantee)


@pytest.mark.parametrize(
    ("guarantee", "bad", "mended", "words"),
    [
        # its own write is not there yet
        (OWN, [*WRITES, read(2, 3.3, 3.4, "a")], [*WRITES, read(2, 3.3, 3.4, "b")], "'a' at 3.300 s, after its own"),
        # nothing is there, though it had written
        (OWN, [WRITES[0], read(1, 1.2, 1.3, None)], [WRITES[0], read(1, 1.05, 1.3, None)], "read nothing at 1.200 s"),
        # a read that began before the write had ended may miss it
        (OWN, [*WRITES, read(2, 3.21, 3.3, "a")], [*WRITES, read(2, 3.19, 3.3, "a")], "after its own later write"),
        # a write that was never acknowledged replaces nothing
        (
            OWN,
            [WRITES[0], write(1, 3.0, 3.2, "b"), read(2, 9.0, 9.1, "a")],
            [WRITES[0], lost(1, 3.0, "b"), read(2, 9.0, 9.1, "a")],
            "after its own later write",
        ),
        # two of its writes at once: either may be the last
        (
            OWN,
            [*WRITES, read(2, 4.0, 4.1, "a")],
            [WRITES[0], write(1, 1.05, 1.2, "b"), read(2, 4.0, 4.1, "a")],
            "after its own later write",
        ),
        # backwards, from one server to another that is behind
        (
            MONOTONIC,
            [*WRITES, read(2, 3.3, 3.4, "b"), read(3, 3.5, 3.6, "a")],
            [*WRITES, read(2, 3.3, 3.4, "a"), read(3, 3.5, 3.6, "b")],
            "'a' at 3.500 s, after it had read a later value",
        ),
        # backwards to nothing
        (
            MONOTONIC,
            [WRITES[0], read(1, 1.2, 1.3, "a"), read(2, 1.4, 1.5, None)],
            [WRITES[0], read(1, 1.2, 1.3, "a"), read(2, 1.25, 1.5, None)],
            "read nothing at 1.400 s",
        ),
        # not backwards from the read before, but from one before that
        (
            MONOTONIC,
            [*WRITES, write(4, 5.0, 5.1, "c"), read(5, 6.0, 6.1, "c"), read(6, 6.2, 6.3, "c"), read(7, 6.4, 6.5, "b")],
            [*WRITES, write(4, 5.0, 5.1, "c"), read(5, 6.0, 6.1, "b"), read(6, 6.2, 6.3, "b"), read(7, 6.4, 6.5, "c")],
            "'b' at 6.400 s",
        ),
        # a value from nowhere
        (OWN, [*WRITES, read(2, 3.3, 3.4, "z")], [*WRITES, read(2, 3.3, 3.4, "b")], "had not written by then"),
        (MONOTONIC, [*WRITES, read(2, 2.0, 2.1, "b")], [*WRITES, read(2, 2.0, 3.1, "b")], "had not written by then"),
    ],
)
def test_a_violation_is_told_and_its_mended_twin_passes(
    guarantee: Guarantee, bad: list[Op], mended: list[Op], words: str
) -> None:
    """The anomaly ends with the read, and names what came before it."""
    found = checked(guarantee, bad)
    assert found.verdict == "FAIL"
    assert len(found.anomalies) == 1
    assert found.anomalies[0].operations[-1] == bad[-1].n
    assert words in found.anomalies[0].text
    assert checked(guarantee, mended).verdict == "PASS"


def test_the_two_guarantees_are_told_apart() -> None:
    """Stale, but never backwards: a session bound to one standby that is behind."""
    behind = [*WRITES, read(2, 3.3, 3.4, "a"), read(3, 3.5, 3.6, "a")]
    assert checked(OWN, behind).verdict == "FAIL"
    assert checked(MONOTONIC, behind).verdict == "PASS"


def test_what_was_not_seen_is_unknown() -> None:
    """No read, no acknowledged write of the session, or none in the phase that is asked for."""
    assert checked(OWN, WRITES).verdict == "UNKNOWN"
    assert checked(OWN, [lost(0, 1.0, "a"), read(1, 2.0, 2.1, "a")]).verdict == "UNKNOWN"
    found = session(history([*WRITES, read(2, 4.0, 4.1, "b")]), OWN, played_in="lagging")
    assert (found.verdict, found.why) == (
        "UNKNOWN", "no reads of sessions that had written were answered in lagging; the checker takes at least 1 there",
    )  # fmt: skip
