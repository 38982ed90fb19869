"""Which sums indeterminate amounts can make: each of them may have been added, or not."""

from __future__ import annotations

from collections.abc import Sequence

from lab.record.values import text_of

MOST_BITS = 2_000_000_000  # of work to tell which sums can be reached, for all counters: a second or two
BITS_A_SUM = 200  # of work that one sum of its own, kept in a set, is as good as


def whole(value: object) -> int | None:
    """A whole number, however it is written; None for anything else."""
    text = text_of(value) or ""
    return int(text) if text.removeprefix("-").isdecimal() and len(text) < 40 else None


class Work:
    """How many bits of work are left for all counters of a check."""

    def __init__(self, bits: int = MOST_BITS) -> None:
        self.left = bits

    def take(self, bits: int) -> bool:
        """Use so many; False, and none used, where fewer are left."""
        if bits > self.left:
            return False
        self.left -= bits
        return True


def reachable(end: object, total: int, unsure: Sequence[int], work: Work) -> bool | None:
    """Whether a counter may end there: at the total, and any of the amounts that may or may not have been added.

    None where to tell that would take more work than is left.
    """
    ended = whole(end)
    if ended is None:
        return False
    missing = ended - total
    if missing < 0 or missing > sum(unsure):
        return False
    if missing in (0, sum(unsure)):
        return True
    amounts = [amount for amount in unsure if amount <= missing]
    dense, sparse = len(amounts) * missing, BITS_A_SUM << len(amounts)  # they double with each amount
    if not work.take(min(dense, sparse)):
        return None
    if sparse < dense:
        return missing in _sums(amounts)
    sums, mask = 1, (1 << (missing + 1)) - 1  # bit k: k can be reached
    for amount in amounts:
        sums |= (sums << amount) & mask
    return bool(sums >> missing & 1)


def _sums(amounts: Sequence[int]) -> set[int]:
    sums = {0}
    for amount in amounts:
        sums |= {each + amount for each in sums}
    return sums
