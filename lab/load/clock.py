"""Pure: how far another machine's clock is ahead of ours, from questions and answers (as NTP does, RFC 5905, 8)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Echo:
    """One question: asked and answered at these instants of our steady clock; `theirs_s` is what their own said.

    `wall_s` is our wall clock when the answer came, `their_wall_s` theirs when they gave it.
    """

    asked_s: float
    answered_s: float
    theirs_s: float
    wall_s: float
    their_wall_s: float


@dataclass(frozen=True)
class Reading:
    """Their steady clock minus ours, their wall clock minus ours, and how far from that either can be, each way."""

    ahead_s: float
    wall_ahead_s: float
    within_s: float

    @property
    def lead_s(self) -> float:
        """What to add to an instant of our steady clock to have it on theirs.

        Nothing where the two cannot be told apart: processes of one machine have one steady clock, and their times
        are then as exact as those of one process. Those of two machines count from when each was started.
        """
        return 0.0 if abs(self.ahead_s) <= self.within_s else self.ahead_s


def read(echoes: Iterable[Echo]) -> Reading:
    """Take the answer that came soonest: they gave it between asking and answering, so half that time is the doubt.

    The doubt is a bound and no estimate: however unlike the ways there and back are, the truth lies within it.
    """
    best = min(echoes, key=lambda echo: echo.answered_s - echo.asked_s)
    within_s = (best.answered_s - best.asked_s) / 2
    middle_s = best.asked_s + within_s
    return Reading(best.theirs_s - middle_s, best.their_wall_s - (best.wall_s - within_s), within_s)
