"""serial_leaves: rejects each planted violation, accepts its mended twin, and agrees with the definition."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transactions import Op, history

from lab.checkers.history import Finding
from lab.checkers.serial_leaves import serial_leaves


def leave(who: str, granted: bool | None, outcome: str = "ok") -> Op:
    """A leave as it was answered; None was not."""
    response = None if granted is None else {"granted": granted}
    return Op(response, "monday", who, "info" if granted is None and outcome == "ok" else outcome)


def found(ops: list[Op], there: Mapping[str, object] | None, **more: object) -> Finding:
    """What comes of these."""
    noise = Op("of another kind", "x", operation="another")
    return serial_leaves(history([*ops, noise], {"there": there}), "it", "books", "there", **more)  # type: ignore[arg-type]


ANN, BOB = leave("ann", True), leave("bob", True)
NOT_ANN, NOT_BOB = leave("ann", False), leave("bob", False)


@pytest.mark.parametrize(
    ("bad", "mended", "words"),
    [
        (([ANN, BOB], {"monday": 0}), ([ANN, NOT_BOB], {"monday": 1}), "ann granted, bob granted and 0 there"),
        (([ANN, BOB], {"monday": 1}), ([ANN, NOT_BOB], {"monday": 1}), "ann granted, bob granted and 1 there"),
        (([NOT_ANN, NOT_BOB], {}), ([NOT_ANN, BOB], {"monday": 1}), "ann denied, bob denied and all there"),
        (([ANN, NOT_BOB], {}), ([ANN, NOT_BOB], {"monday": 1}), "ann granted, bob denied and all there"),
        (([ANN, leave("bob", None)], {"monday": 0}), ([ANN, leave("bob", None)], {"monday": 1}), "bob not answered"),
        (([ANN, leave("ann", True)], {"monday": 1}), ([ANN, NOT_ANN], {"monday": 1}), "ann granted, ann granted"),
    ],
)
def test_a_violation_is_told_and_its_mended_twin_passes(
    bad: tuple[list[Op], dict[str, object]], mended: tuple[list[Op], dict[str, object]], words: str
) -> None:
    """With every leave of the group and the end."""
    verdict = found(*bad)
    assert verdict.verdict == "FAIL"
    [anomaly] = verdict.anomalies
    assert anomaly.text.startswith("monday: no serial order has ")
    assert words in anomaly.text
    assert anomaly.operations == [0, 1]
    assert found(*mended).verdict == "PASS"


def test_what_cannot_be_is_told() -> None:
    """An answer that says neither, a group that no operation knows, an end that is no number."""
    assert "grants nothing" in found([Op({"allowed": True}, "monday", "ann")], {}).why
    assert found([ANN], {"monday": 1, "tuesday": 1}).anomalies[0].text.startswith("tuesday: a member has left")
    assert found([ANN], {"monday": "one"}).verdict == "FAIL"


def test_nothing_passes_unseen() -> None:
    """Without an end, without an answer, with too few groups, with more than can be ordered: UNKNOWN."""
    assert found([ANN], None).verdict == "UNKNOWN"
    assert found([leave("ann", None)], {}).verdict == "UNKNOWN"
    assert found([ANN], {"monday": 1}, least=2).verdict == "UNKNOWN"
    many = found([leave("ann", None)] * 9, {})
    assert (many.verdict, many.why) == ("UNKNOWN", "monday: 9 leaves are too many to order")


def by_definition(ops: list[tuple[str, bool | None]], members: int, end: int) -> bool:
    """Try every order, and with each every choice of those without an answer that were carried out."""
    for order in permutations(ops):
        for choice in range(2 ** len(order)):
            gone, sound = set[str](), True
            for k, (who, granted) in enumerate(order):
                if granted is None and not choice >> k & 1:
                    continue
                grants = members - len(gone) >= 2
                sound &= granted in (None, grants)
                gone |= {who} if grants else set()
            if sound and members - len(gone) == end:
                return True
    return False


@given(
    st.lists(st.tuples(st.sampled_from(["ann", "bob", "cleo"]), st.sampled_from([True, False, None])), max_size=4),
    st.integers(2, 3),
    st.integers(0, 3),
)
def test_it_agrees_with_the_definition(ops: list[tuple[str, bool | None]], members: int, end: int) -> None:
    """Over all orders of up to four leaves."""
    there = {"monday": end} if ops else {}
    verdict = found([leave(who, granted) for who, granted in ops], there, members=members, least=0)
    assert (verdict.verdict == "PASS") is (not ops or by_definition(ops, members, end))
