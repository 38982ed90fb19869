"""Whether a count could have come from an asked share by chance: exact binomial tails, no table, no normal curve."""

from __future__ import annotations

from math import ceil, exp, lgamma, log

# One receipt in a thousand true ones may be called false on each side: rarer than flaws the other conditions catch,
# and still narrow enough to tell 5 % from 15 % with the 190 probes of a 20 s phase.
TAIL = 0.001
SEEN = 0.05  # a share that shows no hit at all more often than this cannot be told from nothing


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
