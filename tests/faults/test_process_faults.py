"""What faults of a process do where it does not come back."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from lab.errors import LabError, StartError
from lab.faults.kit.process import Comeback, killed, paused
from lab.model import Service
from lab.model.bench import ProcessState

PAYMENTS = Service("payments")


@dataclass
class Control:
    """A process that is as it is told to be, and starts again or does not."""

    found: ProcessState = "running"
    starts: bool = True
    asked: list[str] = field(default_factory=list)

    async def kill(self) -> None:
        """It is gone."""
        self.asked.append("kill")
        self.found = "gone"

    async def pause(self) -> None:
        """It is stopped in its tracks."""
        self.asked.append("pause")
        self.found = "paused"

    async def resume(self) -> None:
        """Not asked here."""
        raise AssertionError

    async def restart(self, *, excused: bool = False) -> None:
        """It runs again, or says why not."""
        self.asked.append("restart")
        if not self.starts:
            raise StartError("payments ended: Bad file format")
        self.found = "running"

    async def state(self) -> ProcessState:
        """As it is."""
        return self.found


async def test_one_that_is_killed_comes_back() -> None:
    """Nothing went wrong, so no fact says so."""
    control = Control()
    assert await killed(PAYMENTS, control) == {"state": "gone"}
    assert await Comeback(control).complete() == {}
    assert control.asked == ["kill", "restart"]


async def test_one_that_does_not_start_again_is_a_fact_and_ends_nothing() -> None:
    """The judge calls such a run UNKNOWN; an error would end it without a report."""
    control = Control("gone", starts=False)
    assert await Comeback(control).complete() == {"error": "payments ended: Bad file format"}


async def test_the_start_in_time_that_failed_is_told_even_if_the_next_one_works() -> None:
    """It was to be back earlier than it was."""
    control = Control("gone", starts=False)
    comeback = Comeback(control)
    comeback.begin(0)
    for _ in range(20):  # turns of the loop, until the start has failed
        await asyncio.sleep(0)
    control.starts = True
    assert await comeback.complete() == {"error": "payments ended: Bad file format"}
    assert control.found == "running"


async def test_one_that_is_gone_already_is_not_killed() -> None:
    """A second kill of a server that the first one took for good."""
    control = Control("gone")
    facts = await killed(PAYMENTS, control)
    assert facts == {"state": "gone", "error": "payments was gone before it was killed"}
    assert not control.asked


async def test_one_that_is_paused_says_so() -> None:
    """Nothing went wrong, so no fact says so."""
    control = Control()
    assert await paused(PAYMENTS, control) == {"state": "paused"}


async def test_one_that_is_gone_already_is_not_paused() -> None:
    """A server that did not start again after its kill: the run goes on, and is UNKNOWN."""
    control = Control("gone")
    facts = await paused(PAYMENTS, control)
    assert facts == {"state": "gone", "error": "payments was gone before it was paused"}
    assert not control.asked


async def test_one_that_outlives_its_kill_is_an_error() -> None:
    """Nothing that follows would show what a kill does."""
    control = Control()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lab.faults.kit.process.SIGNAL_TAKES_S", 0.01)
        patch.setattr(control, "kill", control.state)
        with pytest.raises(LabError, match="read back running"):
            await killed(PAYMENTS, control)
