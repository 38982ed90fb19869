"""Whether a count could have come from an asked share by chance: exact binomial tails, no table, no normal curve."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, exp, lgamma, log

# One receipt in a thousand true ones may be called false on each side: rarer than flaws the other conditions catch,
# and still narrow enough to tell 5 % from 15 % with the 190 probes of a 20 s phase.
TAIL = 0.001
SEEN = 0.05  # a share that shows no hit at all more often than this cannot be told from nothing


RARE = 1e-4  # a run as long as luck brings once in so many windows


def longest(flags: Sequence[bool]) -> tuple[int, int]:
    """The longest run of True: where it begins, and its length; (0, 0) where there is none."""
    best, begin = (0, 0), 0
    for here, flag in enumerate(flags):
        if not flag:
            begin = here + 1
        elif here + 1 - begin > best[1]:
            best = begin, here + 1 - begin
    return best


def too_long(of: int, share: float) -> int:
    """How many in a row, of `of` draws of probability `share` each, luck brings less often than `RARE`; 1 at least.

    A run of L begins at one of `of` places, with probability `share ** L` at each, so at most `of * share ** L` in all.
    """
    if share <= 0 or of == 0:
        return 1
    return max(1, ceil(log(RARE / of) / log(min(share, 0.999))))


def at_most(hits: int, of: int, share: float) -> float:
    """Probability of `hits` or fewer in `of` draws of probability `share`, which is above 0 and below 1."""
    return min(1.0, sum(_exactly(k, of, share) for k in range(hits + 1)))


def seems(hits: int, of: int, share: float, what: str) -> str | None:
    """The reason why `hits` of `of` do not show the asked share, or None where they do."""
    share = min(share, 0.99)  # of "all" one in a hundred may go another way on a busy machine
    if (1 - share) ** of > SEEN:
        needed = ceil(log(SEEN) / log(1 - share))
        return (
            f"too few probes: {of} cannot tell {share:.1%} from none; {needed} are needed (a longer phase gives more)"
        )
    fewer, more = at_most(hits, of, share), 1 - at_most(hits - 1, of, share)
    if fewer < TAIL or more < TAIL:
        return f"{hits} of {of} ({hits / of:.1%}) {what} where {share:.1%} were asked"
    return None


def _exactly(k: int, n: int, share: float) -> float:
    ways = lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
    return exp(ways + k * log(share) + (n - k) * log(1 - share))
