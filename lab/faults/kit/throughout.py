"""
Whether a fault was in all the time: no stretch of probes may say otherwise for longer than luck explains.

Counts of a whole window do not tell when: a toxic that is lost after 7 of 12 s has more than half of the probes, and of
the median all. So each probe is asked whether it speaks against the fault, and the longest run of those that do is held
against what chance makes of a fault that is in, once in ten thousand windows. At ten probes a second a window of 12 s
allows:

| A probe speaks against the fault | Chance, though it is in | In a row, at most |
|---|---|---|
| answered through a link that answers nobody, or sooner than the delay | none | 0 |
| ended in another way than the fault ends it, on a busy machine | 5 % | 4, 0.4 s |
| less late than half of the delay, beside a callee as unsteady as that | 40 % | 15, 1.5 s |
| none of the share of connections that a fault hits: 25 % of them | 75 % | 48, 4.8 s |

So a part of 2 s is never without the fault where it hits every connection; where it hits some, the part is as long as
its share makes it, and is told in the dose.
"""

from __future__ import annotations

from collections.abc import Sequence

from lab.faults.kit.chance import longest, too_long
from lab.record import Probe

PART_S = 2.0  # of a fault that hits every connection, the longest part that may go unseen
STRAY = 0.05  # share of probes that may end otherwise than the fault would have it, on a busy machine
UNSTEADY = (
    0.4  # share of pairs whose difference may be half of the delay away from it, where the callee is that unsteady
)


def broken_off(probes: Sequence[Probe], against: Sequence[bool], chance: float, what: str) -> str | None:
    """Against a fault in force all the time: a run of probes that speak against it, each with that chance.

    `what` says what they did: `were answered`.
    """
    begin, length = longest(against)
    if length < too_long(len(probes), chance):
        return None
    first_s, last_s = probes[begin].at_s, probes[begin + length - 1].at_s
    return f"{length} probes in a row {what}, from {first_s:.1f} to {last_s:.1f} s"
