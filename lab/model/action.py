"""An action as every file below `lab/actions` makes one: what an operator does at a moment, and does not undo."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from lab.model.bench import Bench
from lab.model.typed import Typed

if TYPE_CHECKING:
    from lab.model.parts import Backing, Member, Scalar


class ActionBench(Bench, Protocol):
    """What an action may do beyond what a fault may: log in to a server as the lab itself does."""

    def statistics_url(self, server: Backing) -> str:
        """As the lab logs in, with no proxy between."""
        ...


class Action(Typed):
    """Something that is done once, `after_s` from the start of its phase. One file below `lab/actions/` each.

    Subclasses are frozen dataclasses with units in their field names, and have a field `after_s`.
    """

    after_s: float

    @property
    def targets(self) -> tuple[Member, ...]:
        """The members that it is done to."""
        raise NotImplementedError

    @property
    def text(self) -> str:
        """The action in a few words: `primary fails over`."""
        raise NotImplementedError

    async def perform(self, bench: ActionBench) -> Mapping[str, Scalar]:
        """Do it, and give what was read back as proof. Raises LabError where it could not be done, or does not show."""
        raise NotImplementedError
