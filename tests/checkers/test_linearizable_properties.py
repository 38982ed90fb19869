"""The checker against the definition itself, on histories small enough to try every order."""

from __future__ import annotations

import math
import time
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from registers import after, brute_force, history, lost, read, swap, wing_gong, write

from lab.checkers._operation import Op
from lab.checkers._window import smallest, until
from lab.checkers._wing_gong import Budget, search
from lab.checkers.linearizable import linearizable

pytestmark = [pytest.mark.e2e, pytest.mark.untraced]

VALUES = st.sampled_from(["a", "b", "c"])
SEEN = st.sampled_from([None, "a", "b", "c"])
GROWN = st.sampled_from([None, "a", "b", "ab", "ba", "aab", "bab"])
KINDS = (
    ["read", "write"],
    ["read", "write", "swap"],
    ["read", "write", "unlike"],
    ["read", "write", "swap", "unlike", "read", "write"],
    ["read", "append"],
    ["read", "write", "append", "read", "append"],
    ["read", "write", "append", "swap", "unlike"],
)


@st.composite
def histories(draw: st.DrawFn, most: int = 6) -> list[Op]:
    """Up to `most` operations at whole seconds, so that starts and ends often coincide."""
    ops: list[Op] = []
    kinds = draw(st.sampled_from(KINDS))
    seen = GROWN if "append" in kinds else SEEN
    for n in range(draw(st.integers(1, most))):
        start_s = draw(st.integers(0, 10))
        end_s = start_s + draw(st.integers(0, 6))
        kind = draw(st.sampled_from(kinds))
        certain = kind in ("read", "unlike") or draw(st.sampled_from([True, True, False]))
        sees = draw(seen) if kind in ("read", "swap", "unlike") else None
        sets = draw(VALUES) if kind in ("write", "swap", "append") else None
        ops.append(Op(n, start_s, end_s if certain else math.inf, kind, sees, sets, certain))  # type: ignore[arg-type]
    return ops


@st.composite
def true_histories(draw: st.DrawFn) -> list[Op]:
    """
    What is seen of a true register in up to 11 operations, many of them at once, but for a few wrong answers.

    So that most histories have an order, or nearly, which those of `histories` of this length would not.
    """
    rng = draw(st.randoms(use_true_random=False))
    kinds, values = rng.choice(KINDS), "abcd"[: rng.randint(1, 4)]
    lost_share, longest_s = rng.choice([0.0, 0.2, 0.5]), rng.choice([2, 6, 12])
    spans = sorted(_span(rng, longest_s) for _ in range(rng.randint(2, 8 if "append" in kinds else 11)))
    state: str | None = None
    ops: list[Op] = []
    for n, (_, start_s, end_s) in enumerate(spans):
        kind = rng.choice(kinds)
        sees = state if rng.random() < 0.93 else rng.choice([None, *values])
        if kind == "unlike":
            sees = rng.choice([value for value in (None, *values) if value != state])
        changes = kind in ("write", "swap", "append")
        certain = not changes or rng.random() >= lost_share
        op = Op(
            n,
            start_s,
            end_s if certain else math.inf,
            kind,  # type: ignore[arg-type]
            None if kind in ("write", "append") else sees,
            rng.choice(values) if changes else None,
            certain,
        )
        if op.fits(state) and (certain or rng.random() < 0.5):
            state = after(op, state)
        ops.append(op)
    rng.shuffle(ops)
    return ops


def _span(rng: Random, longest_s: int) -> tuple[float, int, int]:
    start_s = rng.randint(0, 15)
    end_s = start_s + rng.randint(0, longest_s)
    return rng.uniform(start_s, end_s), start_s, end_s


def generous() -> Budget:
    """More than any small history needs."""
    return Budget(1_000_000, time.process_time() + 60)


@given(histories())
@settings(max_examples=600, deadline=None)
@example([read(0, 0, 1, "a"), lost(1, 3, "a"), read(2, 4, 5, "a")])
@example([write(0, 0, 9, "a"), write(1, 0, 9, "b"), read(2, 1, 2, "a"), swap(3, 3, 4, "b", "c")])
def test_agrees_with_the_definition(ops: list[Op]) -> None:
    """The verdict is what trying every order says, also through the record."""
    expected = brute_force(ops)
    assert search(ops, None, generous()).linearizable is expected
    looked = any(op.certain and op.kind != "write" for op in ops)  # of writes alone any order explains everything
    assert linearizable(history(ops)).verdict == (("PASS" if looked else "UNKNOWN") if expected else "FAIL")


@given(histories(most=5))
@settings(max_examples=300, deadline=None)
def test_the_plain_search_agrees_with_the_definition(ops: list[Op]) -> None:
    """What longer histories are held against is itself right."""
    assert wing_gong(ops) is brute_force(ops)


@given(true_histories())
@settings(max_examples=800, deadline=None)
def test_agrees_with_the_plain_search(ops: list[Op]) -> None:
    """On histories with much at once, which nearly have an order; and what ended until it was stuck has none."""
    expected = wing_gong(ops)
    result = search(ops, None, generous())
    assert result.linearizable is expected
    assert expected or not wing_gong(until(ops, result.stuck_s))


@given(histories())
@settings(max_examples=400, deadline=None)
def test_window_is_a_violation_and_smallest(ops: list[Op]) -> None:
    """The piece that is shown has no order by the definition, and comes from the history."""
    result = search(ops, None, generous())
    if result.linearizable:
        return
    piece = smallest(ops, None, result.stuck_s, generous())
    assert piece
    assert not brute_force(piece)
    assert {op.n for op in piece} <= {op.n for op in ops}
