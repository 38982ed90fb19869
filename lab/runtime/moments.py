"""What the lab itself saw happen to the members of one stack, kept until the record is written."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from lab.model import Member
from lab.model.bench import Moment

Tell = Callable[[str], None]
KILLED, PAUSED, RESUMED, READY_AGAIN = "killed", "paused", "resumed", "ready again"


class Moments:
    """The moments of one stack, in order of time."""

    def __init__(self) -> None:
        self.all: list[Moment] = []

    def add(self, source: str, text: str) -> None:
        """Keep one that happens now."""
        self.all.append(Moment(time.time(), source, text))

    def of(self, member: Member) -> Tell:
        """What keeps a member's."""
        return partial(self.add, member.name)
