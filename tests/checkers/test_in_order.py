"""in_order: rejects each planted violation, accepts its mended twin, and agrees with the definition."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from message_histories import Op, came, history

from lab.checkers.in_order import in_order

ABC = [Op("a", 1), Op("b", 2), Op("c", 3)]
ABCD = [*ABC, Op("d", 4)]


@pytest.mark.parametrize(
    ("ops", "bad", "mended", "words"),
    [
        (ABC, came(("a", 1), ("c", 3), ("b", 2)), came(("a", 1), ("b", 2), ("c", 3)), "s: 2 first came after 3"),
        (ABC, came(("a", 1), ("c", 3)), came(("a", 1), ("b", 2)), "s: 2 is missing (1 acknowledged)"),
        (ABCD, came(("a", 1), ("d", 4)), came(("a", 1)), "s: 2 to 3 are missing (2 acknowledged)"),
        (ABC, came(("b", 2), ("c", 3)), came(("a", 1), ("b", 2), ("c", 3)), "s: 1 is missing (1 acknowledged)"),
        # A number that comes again may come late, but its first coming may not.
        (
            ABC,
            came(("a", 1), ("c", 3), ("b", 2), ("b", 2)),
            came(("a", 1), ("b", 2), ("c", 3), ("b", 2)),
            "s: 2 first came after 3",
        ),
        # Each subject has an order of its own.
        (
            [Op("a", 1), Op("x", 1, subject="t"), Op("b", 2)],
            came(("b", 2), ("x", 1, "t"), ("a", 1)),
            came(("x", 1, "t"), ("a", 1), ("b", 2)),
            "s: 1 first came after 2",
        ),
        # A number without an acknowledgement may be missing, but not be in the wrong place.
        (
            [Op("a", 1), Op("b", None, "info"), Op("c", 3)],
            came(("a", 1), ("c", 3), ("b", 2)),
            came(("a", 1), ("c", 3)),
            "s: 2 first came after 3",
        ),
        (ABC[:2], came(("a", 2), ("b", 2)), came(("a", 1), ("b", 2)), "a was told to be s 1, and came as s 2"),
    ],
)
def test_a_violation_is_told_and_its_mended_twin_passes(ops: list[Op], bad: object, mended: object, words: str) -> None:
    """An anomaly says what is wrong where; without it the history is sound."""
    found = in_order(history(ops, bad), readback="notifier")
    assert found.verdict == "FAIL"
    assert words in [anomaly.text for anomaly in found.anomalies]
    assert in_order(history(ops, mended), readback="notifier").verdict == "PASS"


def test_a_number_given_twice_is_a_violation_of_the_publisher() -> None:
    """Two messages under one number have no order; under two numbers they have."""
    found = in_order(history([Op("a", 1), Op("b", 1)], came(("a", 1), ("b", 1))), readback="notifier")
    assert [anomaly.text for anomaly in found.anomalies] == ["s: 1 was given to two messages, b one of them"]
    assert in_order(history(ABC[:2], came(("a", 1), ("b", 2))), readback="notifier").verdict == "PASS"


def test_the_operations_that_show_it_are_named() -> None:
    """A gap names the operations that published what is missing, an overtaking both that changed places."""
    [gap] = in_order(history(ABCD, came(("a", 1), ("d", 4))), readback="notifier").anomalies
    assert gap.operations == [1, 2]
    [overtaken] = in_order(history(ABC[:2], came(("b", 2), ("a", 1))), readback="notifier").anomalies
    assert overtaken.operations == [0, 1]


def test_both_numbers_are_told() -> None:
    """Messages and how many deliveries came again stand in the sentence."""
    found = in_order(history(ABC, came(("a", 1), ("a", 1), ("b", 2), ("c", 3), ("a", 1))), readback="notifier")
    assert found.why == "3 messages in order on 1 subject, 2 of them again"


@pytest.mark.parametrize(
    ("ops", "received", "words"),
    [
        (ABC, came(), "no acknowledged messages were received; the checker takes at least 1"),
        (ABC, None, 'it gave no list "received"'),
        (ABC, [{"id": "a", "seq": "x"}], "its list"),
        ([Op("a", None)], came(("a", 1)), "keep_response=True"),
        ([Op("a", None, "info")], came(("a", 1)), "no acknowledged messages were received"),
    ],
)
def test_what_cannot_be_checked_is_unknown(ops: list[Op], received: object, words: str) -> None:
    """Without deliveries, or without the numbers that were told, nothing passes."""
    found = in_order(history(ops, received), readback="notifier")
    assert found.verdict == "UNKNOWN"
    assert words in found.why


def test_what_was_not_played_in_a_phase_is_unknown() -> None:
    """Order in a cut takes messages of the cut that came; a violation is FAIL all the same."""
    calm, cut = [Op("a", 1), Op("b", 2)], Op("c", 3, phase="cut")
    both = came(("a", 1), ("b", 2), ("c", 3))
    assert in_order(history([*calm, cut], both), readback="notifier", played_in="baseline, cut").verdict == "PASS"
    found = in_order(history([*calm, cut], both[:2]), readback="notifier", played_in="baseline, cut")
    why = "no acknowledged messages were received in cut; the checker takes at least 1 there"
    assert (found.verdict, found.why) == ("UNKNOWN", why)
    assert in_order(history([*calm, cut], came(("b", 2), ("a", 1))), "notifier", played_in="cut").verdict == "FAIL"


@given(st.sets(st.integers(1, 6), min_size=1), st.lists(st.integers(1, 6), max_size=8))
def test_agrees_with_the_definition(acked: set[int], numbers: list[int]) -> None:
    """Sound is: first comings rise, and below the highest of them no acknowledged number is left out."""
    first = list(dict.fromkeys(numbers))
    below = {number for number in acked if number < max(first, default=0)}
    sound = first == sorted(first) and below <= set(first)
    ops = [Op(f"m{n}", n if n in acked else None, "ok" if n in acked else "info") for n in range(1, 7)]
    found = in_order(history(ops, came(*((f"m{n}", n) for n in numbers))), readback="notifier")
    seen = "PASS" if acked & set(numbers) else "UNKNOWN"
    assert found.verdict == (seen if sound else "FAIL")
