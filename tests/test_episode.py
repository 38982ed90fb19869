"""What an episode asks its members for, and whom it does not ask."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lab import faults
from lab.bench import Address
from lab.episode import Injection, Pass, _snapshot
from lab.model import Service, Variant

KEPT, LOST = Service("kept"), Service("lost")


class Running:
    """Two services that nobody can reach, in these states."""

    def __init__(self, **states: str) -> None:
        self.states = states

    def members(self) -> list[Service]:
        """Both."""
        return [KEPT, LOST]

    def address(self, member: Service) -> Address:
        """Where nobody listens."""
        return Address("127.0.0.1", 1)

    def process(self, member: Service) -> Any:
        """What says how it is."""

        async def state() -> str:
            return self.states[member.name]

        return SimpleNamespace(state=state)


@pytest.mark.parametrize(
    ("removed_s", "states", "noted"),
    [
        (None, {"kept": "gone", "lost": "running"}, ["lost"]),
        (None, {"kept": "paused", "lost": "running"}, ["lost"]),
        (None, {"kept": "running", "lost": "running"}, ["kept", "lost"]),
        (7.0, {"kept": "gone", "lost": "running"}, ["kept", "lost"]),
    ],
)
async def test_nobody_wonders_at_the_silence_of_whom_a_fault_keeps_down(
    removed_s: float | None, states: dict[str, str], noted: list[str]
) -> None:
    """A member that was killed or paused on purpose is not asked; one that fell silent otherwise is noted."""
    kill = faults.kill(KEPT)
    this = Pass(1, Variant("off"), 1, injections=[Injection(kill, kill, "fault", 5.0, {}, removed_s)])
    running: Any = Running(**states)
    rows, notes = await _snapshot(this, running)
    assert rows == []
    assert [note.partition(" ")[0] for note in notes] == noted
