"""The checker against the definition itself, on histories small enough to try every order."""

from __future__ import annotations

import math
import time

from hypothesis import example, given, settings
from hypothesis import strategies as st
from registers import brute_force, history, lost, read, swap, write

from lab.checkers._window import smallest
from lab.checkers._wing_gong import Budget, Op, search
from lab.checkers.linearizable import linearizable

VALUES = st.sampled_from(["a", "b", "c"])
SEEN = st.sampled_from([None, "a", "b", "c"])


@st.composite
def histories(draw: st.DrawFn, most: int = 6) -> list[Op]:
    """Up to `most` operations at whole seconds, so that starts and ends often coincide."""
    ops: list[Op] = []
    for n in range(draw(st.integers(1, most))):
        start_s = draw(st.integers(0, 10))
        end_s = start_s + draw(st.integers(0, 6))
        kind = draw(st.sampled_from(["read", "write", "swap", "unlike", "read", "write"]))
        certain = kind in ("read", "unlike") or draw(st.sampled_from([True, True, False]))
        sees = draw(SEEN) if kind != "write" else None
        sets = draw(VALUES) if kind in ("write", "swap") else None
        ops.append(Op(n, start_s, end_s if certain else math.inf, kind, sees, sets, certain))  # type: ignore[arg-type]
    return ops


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
