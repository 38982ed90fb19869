"""A fault at whoever plays a role when its phase begins."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from lab.errors import LabError, WordError
from lab.model import Fault, Member, Role, Takes
from lab.model.bench import Bench
from lab.model.typed import shown
from lab.observe.snapshots import ask, stands_at

WITHIN_S = 5.0  # an election may be under way
AGAIN_AFTER_S = 0.05
ASKED_WITHIN_S = 0.25  # five servers answer within 20 to 50 ms; a second time where they disagreed


@dataclass(frozen=True)
class At(Fault):
    """`make(member)` for the member that plays `role`, as the running system says just before the fault goes in.

    A role without a gauge is played by the one of its members that the variant has.

    Injected and judged is what `make` gives; the receipt says which that was. `called` names it beforehand.
    """

    role: Role
    make: Callable[[Any], Fault]  # takes a member of the kind that the role has: services, or servers of others
    called: str

    def __post_init__(self) -> None:
        if not self.candidates:
            raise ValueError(f"at: role {self.role.name} has no members; add some")
        for one in self.candidates:
            if not isinstance(one, Fault):
                raise WordError(
                    f"faults.at: make gives {shown(one)}; it takes a function of a member that gives a fault"
                )

    @property
    def targets(self) -> tuple[Member, ...]:
        """None that could be named, or watched, before."""
        return ()

    @property
    def text(self) -> str:
        """`leader killed`, as the scenario calls it."""
        return self.called

    @property
    def where(self) -> str:
        """The role."""
        return self.role.name

    @property
    def candidates(self) -> Sequence[Fault]:
        """One fault for each member that may play the role."""
        return tuple(self.make(member) for member in self.role.among)

    async def resolve(self, bench: Bench) -> Fault:
        """Ask all members until exactly one says that it plays the role. Raises LabError after `WITHIN_S`."""
        if not self.role.gauges:
            return self.make(self._only(bench))
        until_s = time.monotonic() + WITHIN_S
        while len(found := await self._players(bench)) != 1:
            if time.monotonic() > until_s:
                who = ", ".join(member.name for member in found) or "no one"
                raise LabError(
                    f"{self.text}: for {WITHIN_S:g} s {who} of {len(self._there(bench))} members had "
                    f"{' or '.join(self.role.gauges)} at 1, so there is no one {self.role.name}"
                )
            await asyncio.sleep(AGAIN_AFTER_S)
        return self.make(found[0])

    def _only(self, bench: Bench) -> Member:
        if len(there := self._there(bench)) != 1:
            who = ", ".join(member.name for member in there) or "no one"
            raise LabError(f"{self.text}: {self.role.name} is one member a variant, and here is {who}")
        return there[0]

    async def _players(self, bench: Bench) -> list[Member]:
        members = self._there(bench)
        answers = await ask({member.name: bench.address(member).url for member in members})
        return [member for member in members if self._plays(answers[member.name])]

    def _plays(self, answer: str | Exception) -> bool:
        with suppress(ValueError):  # what is no metric says nothing
            return isinstance(answer, str) and any(stands_at(answer, gauge, 1) for gauge in self.role.gauges)
        return False

    def _there(self, bench: Bench) -> list[Member]:
        """Those of its members that this variant has."""
        return [member for member in self.role.among if member in bench.members()]


def asked_first(takes: Takes) -> Takes:
    """How long a fault may take of which the members are asked first: they are when its phase has begun."""
    why = "the members are asked first who plays the role"
    return Takes(takes.in_s + ASKED_WITHIN_S, takes.out_s, f"{takes.why}; {why}" if takes.why else why)


at = At
