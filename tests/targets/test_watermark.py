"""Refused below one mark, accepted above the other, unchanged between; a look that is too old says nothing."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from targets.patterns.watermark import Marks, NoRoom, Watermark

MARKS = Marks(refuse_below=34, accept_above=51, stale_s=2.0)


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Told:
    """What a listener was told."""

    def __init__(self) -> None:
        self.moves: list[tuple[bool, int | None]] = []

    def moved(self, refusing: bool, free_bytes: int | None) -> None:
        """Keep it."""
        self.moves.append((refusing, free_bytes))


def admitted(watermark: Watermark) -> bool:
    """Whether a write may begin."""
    try:
        watermark.admit()
    except NoRoom:
        return False
    return True


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ([100, 40, 34], [True, True, True]),  # at the mark is not below it
        ([100, 33], [True, False]),
        ([33, 40, 51], [False, False, False]),  # at the mark is not above it
        ([33, 52], [False, True]),
        ([33, 52, 40], [False, True, True]),
        ([33, 52, 33, 34, 52], [False, True, False, False, True]),
    ],
)
def test_what_is_between_the_marks_changes_nothing(looks: list[int], expected: list[bool]) -> None:
    """Each look in turn, and whether a write is admitted after it."""
    watermark = Watermark(MARKS, clock=Clock())
    found = []
    for free in looks:
        watermark.look(free)
        found.append(admitted(watermark))
    assert found == expected


def test_room_that_goes_up_and_down_between_the_marks_moves_it_once() -> None:
    """A single mark would move with each look."""
    told = Told()
    watermark = Watermark(MARKS, clock=Clock(), listeners=[told])
    for free in [60, *[33, 35] * 10, 52]:
        watermark.look(free)
    assert told.moves == [(True, 33), (False, 52)]


def test_a_refusal_says_how_much_room_there_is() -> None:
    """With the bytes, for programs too."""
    watermark = Watermark(MARKS, clock=Clock())
    watermark.look(12)
    with pytest.raises(NoRoom, match="writes are refused: 12 bytes of room") as refused:
        watermark.admit()
    assert refused.value.free_bytes == 12


def test_before_the_first_look_writes_are_refused() -> None:
    """It does not know."""
    told = Told()
    watermark = Watermark(MARKS, clock=Clock(), listeners=[told])
    with pytest.raises(NoRoom, match="how much room there is, is not known"):
        watermark.admit()
    watermark.look(100)
    assert admitted(watermark)
    assert told.moves == [(True, None), (False, 100)]


@pytest.mark.parametrize(("age_s", "expected"), [(2.0, True), (2.001, False)])
def test_a_look_counts_for_a_while(age_s: float, expected: bool) -> None:
    """Then nothing is known, however much room there was."""
    clock = Clock()
    watermark = Watermark(MARKS, clock=clock)
    watermark.look(1_000)
    clock.now_s += age_s
    assert admitted(watermark) is expected


def test_after_a_stale_look_room_between_the_marks_is_not_enough() -> None:
    """It refuses as if it had seen too little, so it takes the upper mark to accept again."""
    clock = Clock()
    watermark = Watermark(MARKS, clock=clock)
    watermark.look(1_000)
    clock.now_s += 3
    assert not admitted(watermark)
    watermark.look(40)
    assert not admitted(watermark)
    watermark.look(52)
    assert admitted(watermark)


@given(st.lists(st.integers(0, 100), min_size=1, max_size=50))
def test_it_never_admits_below_the_lower_mark_and_never_refuses_above_the_upper(looks: list[int]) -> None:
    """Whatever was before; and its moves alternate."""
    told = Told()
    watermark = Watermark(MARKS, clock=Clock(), listeners=[told])
    for free in looks:
        watermark.look(free)
        if free < MARKS.refuse_below:
            assert not admitted(watermark)
        if free > MARKS.accept_above:
            assert admitted(watermark)
        assert watermark.refusing is not admitted(watermark)
    assert all(before[0] != after[0] for before, after in pairwise(told.moves))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"refuse_below": 0, "accept_above": 5}, "refuse_below is 0; it must be over 0"),
        ({"refuse_below": 5, "accept_above": 5}, "accept_above is 5; it must be over refuse_below, 5"),
        ({"refuse_below": 5, "accept_above": 4, "stale_s": -1.0}, "stale_s is -1.0; .*accept_above is 4"),
    ],
)
def test_marks_that_cannot_be_are_named(words: dict[str, float], said: str) -> None:
    """Each number, in one sentence."""
    with pytest.raises(ValueError, match=said):
        Marks(**words)  # type: ignore[arg-type]
