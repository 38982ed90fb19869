"""What the first, the second and the third signal do, with a process that is not really left."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from lab.kit.tasks import awaited, awaiting, surely
from lab.run.signals import Signals, Stage


class Heard:
    """What the person is told, and whether the lab left."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.left: list[int] = []

    def signals(self, stage: Stage = "running") -> Signals:
        """Signals that tell it."""
        return Signals(stage, self.said.append, self.left.append)


@pytest.fixture
def heard() -> Heard:
    """Nothing yet."""
    return Heard()


@pytest.fixture(autouse=True)
def hang_up() -> Iterator[None]:
    """SIGHUP as in a terminal: under nohup, as in many a CI, it is ignored."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
async def test_the_first_signal_cancels_what_runs(heard: Heard, number: signal.Signals) -> None:
    """Each of the four cancels the run, so that it stops in order, and is remembered."""
    before = signal.getsignal(number)
    with heard.signals() as signals:
        os.kill(os.getpid(), number)
        with pytest.raises(asyncio.CancelledError):
            await asyncio.Event().wait()
    assert signals.caught == number
    assert signal.getsignal(number) == before
    assert (heard.said, heard.left) == ([], [])


async def test_a_hang_up_that_is_ignored_stays_ignored(heard: Heard) -> None:
    """A lab that was started with nohup outlives its terminal."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with heard.signals() as signals:
        os.kill(os.getpid(), signal.SIGHUP)
        await asyncio.sleep(0)
    assert signals.caught is None


async def test_the_second_says_what_is_awaited_and_the_third_leaves(heard: Heard) -> None:
    """A stop that hangs is named at the second signal; the third gives up, with the signal's code."""

    async def stop() -> None:
        with awaiting("payments (process 7)"):
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGTERM)
            assert heard.left == []
            os.kill(os.getpid(), signal.SIGTERM)

    with heard.signals(), pytest.raises(asyncio.CancelledError):
        await surely(stop())
    assert heard.said == [
        "waiting for payments (process 7) to end; another signal exits immediately",
        "exited without waiting; the leash kills the remaining processes, `lab heal` removes the rest",
    ]
    assert heard.left == [signal.SIGTERM]
    assert awaited() == []


async def test_before_anything_has_started_a_signal_ends_it_at_once(heard: Heard) -> None:
    """While the machine is checked a signal breaks off whatever is done, however long that would take."""
    with heard.signals("checking") as signals, pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGTERM)
    assert signals.caught == signal.SIGTERM


async def test_while_the_report_is_written_the_first_is_remembered(heard: Heard) -> None:
    """A signal while the run is judged lets the report be written, and is not lost; the next breaks it off."""
    with heard.signals("writing") as signals:
        os.kill(os.getpid(), signal.SIGINT)
        assert signals.caught == signal.SIGINT
        assert heard.said == ["writing the report; another signal stops that"]
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


async def test_one_that_stopped_the_run_breaks_off_the_writing_too(heard: Heard) -> None:
    """Who has asked the run to stop does not have to ask twice for its report not to be written."""
    with heard.signals() as signals:
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(asyncio.CancelledError):
            await asyncio.Event().wait()
        signals.stage = "writing"
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


async def test_work_comes_to_its_end_although_it_is_cancelled_twice() -> None:
    """`surely` awaits its work to the end and only then passes the cancellation on."""
    done, go = [], asyncio.Event()

    async def work() -> None:
        await go.wait()
        done.append(1)

    task = asyncio.create_task(surely(work()))
    for _ in range(2):
        await asyncio.sleep(0)
        task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == [1]
