"""regular_register: rejects each planted violation, accepts its mended twin, and what only linearizability forbids."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from registers import history, lost, read, write

from lab.checkers._operation import Op
from lab.checkers.history import Finding
from lab.checkers.linearizable import linearizable
from lab.checkers.regular_register import regular_register

WRITES = [write(0, 1.0, 1.1, "a"), write(1, 3.0, 3.2, "b")]


def checked(ops: Sequence[Op], initial: str | None = None) -> Finding:
    """What the checker says."""
    return regular_register(history(ops), initial=initial)


@pytest.mark.parametrize(
    ("bad", "mended", "words"),
    [
        # replaced before the read began
        (
            [*WRITES, read(2, 3.3, 3.4, "a")],
            [*WRITES, read(2, 3.1, 3.4, "a")],
            "'a' at 3.300 s, 0.100 s after a write that replaced it was acknowledged",
        ),
        # a value that was never written
        ([*WRITES, read(2, 3.3, 3.4, "c")], [*WRITES, read(2, 3.3, 3.4, "b")], "no request had written by then"),
        # read before its write began
        ([*WRITES, read(2, 2.5, 2.9, "b")], [*WRITES, read(2, 2.5, 3.01, "b")], "no request had written by then"),
        # what the key held at first, after a write was acknowledged
        ([*WRITES, read(2, 1.2, 1.3, None)], [*WRITES, read(2, 1.05, 1.3, None)], "absent at 1.200 s, 0.100 s after"),
        # a write that was never acknowledged replaces nothing; one that was does
        (
            [WRITES[0], write(1, 3.0, 3.2, "b"), read(2, 9.0, 9.1, "a")],
            [WRITES[0], lost(1, 3.0, "b"), read(2, 9.0, 9.1, "a")],
            "5.800 s after",
        ),
    ],
)
def test_a_violation_is_told_and_its_mended_twin_passes(bad: list[Op], mended: list[Op], words: str) -> None:
    """The anomaly names the read and the write's time."""
    found = checked(bad)
    assert found.verdict == "FAIL"
    assert [anomaly.operations for anomaly in found.anomalies] == [[bad[-1].n]]
    assert words in found.anomalies[0].text
    assert checked(mended).verdict == "PASS"


def test_new_then_old_is_regular_and_has_no_order() -> None:
    """A write in flight may be read, then not: regular, and the difference to a linearizable register."""
    inverted = [write(0, 1.0, 1.1, "a"), lost(1, 2.0, "b"), read(2, 3.0, 3.1, "b"), read(3, 4.0, 4.1, "a")]
    assert checked(inverted).verdict == "PASS"
    assert linearizable(history(inverted)).verdict == "FAIL"


def test_what_was_not_played_is_unknown() -> None:
    """Without reads, or with too few in a phase that is named, nothing is known."""
    assert checked(WRITES).verdict == "UNKNOWN"
    recorded = history([*WRITES, read(2, 4.0, 4.1, "b")])
    assert regular_register(recorded, played_in="baseline").verdict == "PASS"
    assert regular_register(recorded, played_in="cut").verdict == "UNKNOWN"
    assert regular_register(recorded, least=2).verdict == "UNKNOWN"
