"""Which of many long tests are made this time: a few each turn, each in its turn."""

from collections.abc import Sequence


def made(names: Sequence[str], turn: int, each: int) -> set[str]:
    """The `each` names, or all where there are no more, that have turn number `turn`; the order is the alphabet's."""
    ordered = sorted(names)
    return {ordered[(turn * each + n) % len(ordered)] for n in range(each)} if ordered else set()
