"""Long tests take turns: as many as are asked for each time, and before any comes again all have been."""

import pytest
from turns import made

NAMES = ["d", "a", "g", "c", "f", "b", "e"]


@pytest.mark.parametrize(("each", "turns"), [(1, 7), (2, 4), (3, 3), (7, 1), (9, 1)])
def test_each_has_its_turn(each: int, turns: int) -> None:
    """Whatever the number of the first turn."""
    for first in (0, 1, 500):
        sets = [made(NAMES, first + n, each) for n in range(turns)]
        assert set().union(*sets) == set(NAMES)
        assert all(len(found) == min(each, 7) for found in sets)


def test_the_order_in_which_they_are_found_does_not_matter() -> None:
    """Else two commits could make the same ones."""
    assert made(NAMES, 1, 2) == made(sorted(NAMES), 1, 2) == {"c", "d"}


def test_where_there_is_none_none_is_made() -> None:
    """As in a folder of other tests."""
    assert made([], 3, 2) == set()
