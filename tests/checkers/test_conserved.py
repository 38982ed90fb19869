"""conserved: rejects each planted violation, and accepts its mended twin."""

from __future__ import annotations

import json

import pytest
from transactions import Op, history

from lab.checkers.conserved import conserved
from lab.checkers.history import Finding


def move(payer: str, payee: str, cents: int, outcome: str = "ok") -> Op:
    """A transfer."""
    return Op(None, f"{payer}{payee}{cents}", json.dumps({"payer": payer, "payee": payee, "cents": cents}), outcome)


def found(ops: list[Op], ends: object, **more: object) -> Finding:
    """What comes of these transfers, of accounts that began with 100."""
    noise = Op(None, "x", "no transfer", operation="another")
    return conserved(history([*ops, noise], {"accounts": ends}), "it", "books", 100, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ops", "bad", "mended", "words", "which"),
    [
        (  # debited, never credited, and its caller was told nothing
            [move("a", "b", 5), move("a", "b", 7, "info")],
            {"a": 88, "b": 105},
            {"a": 88, "b": 112},
            "the accounts hold 193, and began with 200: 7 are missing",
            [],
        ),
        (  # acknowledged and not made: no sum is wrong
            [move("a", "b", 5), move("a", "c", 7)],
            {"a": 95, "b": 105, "c": 100},
            {"a": 88, "b": 105, "c": 107},
            "a: holds 95, and acknowledged transfers leave 88",
            [0, 1],
        ),
        (  # refused and made all the same
            [move("a", "b", 5), move("b", "a", 7, "fail")],
            {"a": 102, "b": 98},
            {"a": 95, "b": 105},
            "a: holds 102, and acknowledged transfers leave 95",
            [0],
        ),
        (  # made twice
            [move("a", "b", 5)],
            {"a": 90, "b": 110},
            {"a": 95, "b": 105},
            "a: holds 90, and acknowledged transfers leave 95",
            [0],
        ),
        (  # money from nowhere
            [move("a", "b", 5)],
            {"a": 95, "b": 106},
            {"a": 95, "b": 105},
            "the accounts hold 201, and began with 200: 1 are too many",
            [],
        ),
    ],
)
def test_a_violation_is_told_and_its_mended_twin_passes(
    ops: list[Op], bad: object, mended: object, words: str, which: list[int]
) -> None:
    """The first anomaly says what is wrong, and of which operations."""
    verdict = found(ops, bad)
    assert verdict.verdict == "FAIL"
    assert (verdict.anomalies[0].text, verdict.anomalies[0].operations) == (words, which)
    assert found(ops, mended).verdict == "PASS"


@pytest.mark.parametrize(
    ("a", "verdict"), [(95, "PASS"), (95 + 7, "PASS"), (95 - 3, "PASS"), (95 + 4, "PASS"), (95 + 3, "FAIL")]
)
def test_any_of_the_indeterminate_transfers_may_have_been_made(a: int, verdict: str) -> None:
    """To an account and from it: 7 in and 3 out give 95, 102, 92 or 99 of what 95 were left."""
    ops = [move("a", "b", 5), move("b", "a", 7, "info"), move("a", "b", 3, "info")]
    assert found(ops, {"a": a, "b": 200 - a}).verdict == verdict


def test_nothing_passes_unseen() -> None:
    """Without accounts, without an acknowledged transfer, with one that cannot be read, with too few: UNKNOWN."""
    assert found([move("a", "b", 5)], None).verdict == "UNKNOWN"
    assert found([move("a", "b", 5)], {}).verdict == "UNKNOWN"
    assert found([move("a", "b", 5, "fail")], {"a": 100, "b": 100}).verdict == "UNKNOWN"
    odd = found([move("a", "b", 5), Op(None, "k", "5")], {"a": 95, "b": 105})
    assert (odd.verdict, odd.why) == ("UNKNOWN", "operation 1 asks for '5', which is no transfer")
    assert found([move("a", "b", 5)], {"a": 95, "b": 105}, least=2).verdict == "UNKNOWN"
    for odd_end in ("much", "--5"):
        assert found([move("a", "b", 5)], {"a": odd_end, "b": 105}).verdict == "FAIL"
