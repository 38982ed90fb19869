"""recovered: rejects each planted violation, and accepts its mended twin."""

from __future__ import annotations

import pytest
from transactions import Op, history

from lab.checkers.history import Finding
from lab.checkers.recovered import recovered


def row(key: str, outcome: str = "ok", value: str | None = None) -> Op:
    """A write."""
    return Op(None, key, value, outcome)


def found(ops: list[Op], there: object, **more: object) -> Finding:
    """What comes of these writes and of what is there."""
    return recovered(history(ops, {"rows": there}), "books", "rows", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ops", "bad", "mended", "words", "which"),
    [
        ([row("a"), row("b")], ["a"], ["b", "a"], "b was acknowledged, and is not there", [1]),
        ([row("a"), row("b", "fail")], ["a", "b"], ["a"], "b was refused, and is there", [1]),
        ([row("a")], ["a", "z"], ["a"], "z is there, and no operation wrote it", []),
        ([row("a")], ["a", "a"], ["a"], "a is there 2 times", [0]),
        ([row("a", value="5")], {"a": 7}, {"a": 5}, "a holds 7, and 5 was written", [0]),
        # Written again under the same key: acknowledged if one of the two was; what was refused was not written.
        ([row("a"), row("b", "info"), row("b")], ["a"], ["a", "b"], "b was acknowledged, and is not there", [1, 2]),
        (
            [row("a", value="1"), row("a", "fail", "2")],
            {"a": 2},
            {"a": 1.0},
            "a holds 2, and 1 was written",
            [0, 1],
        ),
    ],
)
def test_a_violation_is_told_and_its_mended_twin_passes(
    ops: list[Op], bad: object, mended: object, words: str, which: list[int]
) -> None:
    """The one anomaly says which key broke what; without it the history is sound."""
    verdict = found(ops, bad)
    assert verdict.verdict == "FAIL"
    assert [(anomaly.text, anomaly.operations) for anomaly in verdict.anomalies] == [(words, which)]
    assert found(ops, mended).verdict == "PASS"


@pytest.mark.parametrize("there", [["a"], ["a", "b"]])
def test_an_indeterminate_write_may_be_there_or_not(there: list[str]) -> None:
    """Its caller was told neither that it is kept nor that it is not."""
    assert found([row("a"), row("b", "info")], there).verdict == "PASS"


def test_lost_ones_are_counted() -> None:
    """The sentence says how many of how many."""
    verdict = found([row("a"), row("b"), row("c"), row("d", "info")], ["c"])
    assert verdict.why.startswith("2 of 3 acknowledged writes are lost, 0 wrong: a was acknowledged")


def test_nothing_passes_unseen() -> None:
    """Without a readback, without keys, without an acknowledgement, or with too few in a phase: UNKNOWN."""
    assert found([row("a")], None).verdict == "UNKNOWN"
    assert found([Op()], []).verdict == "UNKNOWN"
    assert found([row("a", "info")], ["a"]).verdict == "UNKNOWN"
    assert found([row("a")], ["a"], least=2).verdict == "UNKNOWN"
    early = history([row("a")], {"rows": ["a"]})
    early.operations.phase[:] = "baseline"
    assert recovered(early, "books", "rows", played_in="baseline").verdict == "PASS"
    assert recovered(early, "books", "rows", played_in="crash").verdict == "UNKNOWN"


def test_one_kind_of_operation_where_it_is_named() -> None:
    """Keys of other kinds are for other checkers."""
    ops = [row("a"), row("b")._replace(operation="another")]
    assert found(ops, ["a"]).verdict == "FAIL"
    assert found(ops, ["a"], operation="it").verdict == "PASS"
