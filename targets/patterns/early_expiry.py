"""
Renew what is cached before it expires, each reader by a throw of the dice: XFetch.

Source: Vattani, Chierichetti, Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", PVLDB 8(8), 2015. Each
reader acts as if it were later than it is, by a time drawn from an exponential distribution whose mean is what a fetch
takes. Nobody has to know of anybody: many readers throw often, so one of them is nearly always early enough.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable


def dice() -> float:
    """A throw: over 0, up to 1."""
    return 1.0 - random.random()


def lead_s(took_s: float, beta: float = 1.0, throw: Callable[[], float] = dice) -> float:
    """How long before its expiry a reader takes a value for expired: -`took_s` x `beta` x ln(throw), anew each time.

    `took_s` is how long the last fetch took (the paper's delta). `beta` over 1 is earlier, below 1 later, and with 0 no
    reader is ever early. ValueError for a negative one, or a throw that is not over 0 and up to 1.
    """
    if took_s < 0 or beta < 0:
        raise ValueError(f"took_s is {took_s}, beta {beta}; neither can be negative")
    thrown = throw()
    if not 0 < thrown <= 1:
        raise ValueError(f"the throw is {thrown}; it takes a number over 0, up to 1")
    return -took_s * beta * math.log(thrown)


def due(now_s: float, expires_s: float, took_s: float, beta: float = 1.0, throw: Callable[[], float] = dice) -> bool:
    """Whether this reader is to renew a value that expires at `expires_s`: always from then on, by chance before.

    The chance is e^(-left/(took x beta)) where `left` is the time to the expiry. Of `per_s` readers a second the first
    is early by took x ln(per_s x took) or so (beta 1), and while it fetches another e - 1 = 1.7 throw the same.
    """
    return now_s + lead_s(took_s, beta, throw) >= expires_s
