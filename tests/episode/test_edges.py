"""What an episode asks its members for at the edges of phases, and whom it does not ask."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lab import faults
from lab.model import Fault, Phase, Service, Variant
from lab.model.bench import Address
from lab.run.episode.capture import EpisodeCapture, Injection
from lab.run.episode.edges import count, kept_down, read_counts

KEPT, LOST = Service("kept"), Service("lost")
EDGES = (("fault", "end"), ("recovery", "start"))


class Running:
    """Two services that nobody can reach, in these states."""

    def __init__(self, **states: str) -> None:
        self.states = states

    @property
    def disk_urls(self) -> dict[str, str]:
        """No disk forgets here."""
        return {}

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


@pytest.mark.parametrize("fault", [faults.kill(KEPT), faults.disk_full(KEPT, restarts=True)])
@pytest.mark.parametrize(
    ("removing_s", "states", "noted"),
    [
        (None, {"kept": "gone", "lost": "running"}, ["lost"]),
        (None, {"kept": "paused", "lost": "running"}, ["lost"]),
        (None, {"kept": "running", "lost": "running"}, ["kept", "lost"]),
        (7.0, {"kept": "gone", "lost": "running"}, ["kept", "lost"]),
    ],
)
async def test_a_member_that_a_fault_keeps_down_is_not_asked(
    removing_s: float | None, states: dict[str, str], noted: list[str], fault: Fault
) -> None:
    """A member that a fault, of it or its disk, has ended is not asked; one that fell silent otherwise is noted."""
    injection = Injection("fault#1", fault, fault, "fault", 5.0, 5.0, {}, removing_s)
    capture = EpisodeCapture(1, Variant("off"), 1, injections=[injection])
    running: Any = Running(**states)
    await count(capture, running, await kept_down(capture, running), Phase("fault", 5), Phase("recovery", 5))
    assert capture.notes == []
    read_counts(capture)
    assert capture.snapshots == []
    before, after = ([f"{phase}, {edge}: {name}" for name in noted] for phase, edge in EDGES)
    assert [note.partition(" gave")[0] for note in capture.notes] == [*before, *after]
