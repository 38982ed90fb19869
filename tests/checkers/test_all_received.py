"""all_received: rejects each planted violation, accepts its mended twin, and agrees with the definition."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from message_histories import Op, came, history

from lab.checkers.all_received import all_received

A, B = Op("a", 1), Op("b", 2)


@pytest.mark.parametrize(
    ("ops", "bad", "mended", "words"),
    [
        ([A, B], came(("a", 1)), came(("b", 2), ("a", 1)), "b was acknowledged, and never received"),
        ([A, B], came(("a", 1), ("a", 1)), came(("a", 1), ("a", 1), ("b", 2)), "b was acknowledged, and never"),
        ([A], came(("a", 1), ("z", 2)), came(("a", 1)), "z was received, and no operation sent it"),
        ([A, Op("b", None, "fail")], came(("a", 1), ("b", 2)), came(("a", 1)), "b was refused, and received all"),
        # Published again under the same id: it was acknowledged if one of the two was, and refused only if both were.
        ([A, B, Op("b", None, "fail")], came(("a", 1)), came(("a", 1), ("b", 2)), "b was acknowledged, and never"),
        (
            [A, Op("b", None, "info"), Op("b", None, "fail"), Op("c", None, "fail")],
            came(("a", 1), ("b", 2), ("c", 3)),
            came(("a", 1), ("b", 2)),
            "c was refused, and received all",
        ),
    ],
)
def test_a_violation_is_told_and_its_mended_twin_passes(ops: list[Op], bad: object, mended: object, words: str) -> None:
    """The one anomaly says which message broke what; without it the history is sound."""
    found = all_received(history(ops, bad), readback="notifier")
    assert found.verdict == "FAIL"
    [anomaly] = found.anomalies
    assert anomaly.text.startswith(words)
    assert all_received(history(ops, mended), readback="notifier").verdict == "PASS"


def test_an_unanswered_publish_may_have_happened_or_not() -> None:
    """Whether or not its message came, the history is sound."""
    ops = [A, Op("b", None, "info")]
    for received in (came(("a", 1)), came(("a", 1), ("b", 2))):
        assert all_received(history(ops, received), readback="notifier").verdict == "PASS"


def test_both_numbers_are_told() -> None:
    """Deliveries, messages received, and how many came again stand in the sentence."""
    found = all_received(history([A, B], came(("a", 1), ("b", 2), ("a", 1), ("a", 1))), readback="notifier")
    assert found.why == "2 messages, 4 deliveries of 2 of them, 2 of them again"


@pytest.mark.parametrize(
    ("ops", "received", "words"),
    [
        ([A], None, 'it gave no list "received"'),
        ([A], [{"id": "a"}], "its list"),
        ([Op(None)], [], "no operation carries a key"),
    ],
)
def test_what_cannot_be_checked_is_unknown(ops: list[Op], received: object, words: str) -> None:
    """Without a list of deliveries, or without messages, nothing passes."""
    found = all_received(history(ops, received), readback="notifier")
    assert (found.verdict, found.checked) == ("UNKNOWN", 0)
    assert words in found.why


KEYS = st.sampled_from("abc")
OPS = st.lists(st.builds(Op, KEYS, st.just(1), st.sampled_from(["ok", "fail", "info"])), min_size=1, max_size=5)


@given(OPS, st.lists(st.sampled_from("abcd"), max_size=6))
def test_agrees_with_the_definition(ops: list[Op], ids: list[str]) -> None:
    """Sound is: all that was acknowledged came, and all that came may have been sent. None acknowledged: unknown."""
    acked = {op.key for op in ops if op.outcome == "ok"}
    maybe = {op.key for op in ops if op.outcome != "fail"}
    sound = acked <= set(ids) <= maybe
    found = all_received(history(ops, came(*((name, 1) for name in ids))), readback="notifier")
    assert found.verdict == ("FAIL" if not sound else "PASS" if acked else "UNKNOWN")


def test_a_cut_without_acknowledgements_shows_no_loss() -> None:
    """A publisher that refuses every event of the cut: nothing is lost, and nothing was played."""
    ops = [Op("a"), Op("b", outcome="fail", phase="cut")]
    found = all_received(history(ops, came(("a", 1))), readback="notifier", played_in="cut")
    why = "no messages were acknowledged in cut; the checker takes at least 1 there"
    assert (found.verdict, found.why) == ("UNKNOWN", why)
    assert all_received(history([*ops, Op("c", phase="cut")], came(("a", 1), ("c", 1))), "notifier").verdict == "PASS"
