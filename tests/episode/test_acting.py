"""Actions are done at their moment, beside the phase; what was read back, or why there is nothing, is the receipt."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from lab.errors import LabError
from lab.model import Action, Backing, Phase, Scalar, Variant
from lab.run.episode.acting import acting
from lab.run.episode.capture import EpisodeCapture
from lab.run.episode.clock import EpisodeClock

SERVER = Backing("postgres", "primary")


@dataclass(frozen=True)
class Told(Action):
    """Tells when it is done; one that is `broken` could not be done, one that `hangs` never ends."""

    after_s: float = 0.0
    broken: bool = False
    hangs: bool = False

    @property
    def targets(self) -> tuple[Backing, ...]:
        """The one server."""
        return (SERVER,)

    @property
    def text(self) -> str:
        """In a few words."""
        return f"told after {self.after_s:g} s"

    async def perform(self, bench: Any) -> Mapping[str, Scalar]:
        """Do it."""
        if self.hangs:
            await asyncio.Event().wait()
        if self.broken:
            raise LabError("it could not be done")
        return {"done": True}


class Journal:
    """Stands for a running stack: nothing but its journal is asked for."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    @contextmanager
    def journal(self, what: str, **facts: Scalar) -> Iterator[None]:
        """Write it down."""
        self.lines.append(f"{what} at {facts['member']}")
        yield


async def done(*actions: Action) -> tuple[EpisodeCapture, Journal]:
    """A phase with these actions passes."""
    capture, running = EpisodeCapture(1, Variant("off"), 1, EpisodeClock(0.0)), Journal()
    phase = Phase("fault", 1.0, actions=actions)
    async with acting(capture, running, phase, capture.now_s()):  # type: ignore[arg-type]
        pass
    return capture, running


async def test_each_is_journaled_done_in_its_order_and_read_back() -> None:
    """The later one after the earlier one, whichever is written first."""
    capture, running = await done(Told(0.02), Told(0.0))
    assert [receipt.action.after_s for receipt in capture.actions] == [0.0, 0.02]
    assert capture.actions[0].read_back == {"done": True}
    assert capture.actions[1].began_s >= capture.actions[0].began_s + 0.01
    assert running.lines == ["told after 0 s at primary", "told after 0.02 s at primary"]


async def test_one_that_could_not_be_done_says_why_and_ends_no_run() -> None:
    """The receipt has the reason and nothing that was read back."""
    capture, _ = await done(Told(broken=True), Told(0.01))
    assert [(receipt.error, dict(receipt.read_back)) for receipt in capture.actions] == [
        ("it could not be done", {}), ("", {"done": True}),
    ]  # fmt: skip


async def test_one_under_way_ends_with_a_run_that_is_stopped() -> None:
    """Ctrl-C in the phase cancels it: nothing is left that waits."""
    capture, running = EpisodeCapture(1, Variant("off"), 1, EpisodeClock(0.0)), Journal()
    before = len(asyncio.all_tasks())
    with pytest.raises(KeyError):
        await _stopped(capture, running)
    assert len(asyncio.all_tasks()) == before
    assert capture.actions == []


async def _stopped(capture: EpisodeCapture, running: Journal) -> None:
    """A phase whose action never ends, and which an error ends."""
    phase = Phase("fault", 1.0, actions=[Told(hangs=True)])
    async with acting(capture, running, phase, 0.0):  # type: ignore[arg-type]
        await asyncio.sleep(0)
        raise KeyError("stopped")
