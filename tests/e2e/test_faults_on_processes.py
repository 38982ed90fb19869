import asyncio
import os
import signal
import time

import pytest
import pytest_asyncio
from fault_season import season, stack_up

from lab import faults
from lab.model import ProbeShape, Service
from lab.model.bench import ProcessControl
from lab.observe.ping import ping

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module"), pytest.mark.alone]

NAMES = ["kill", "kill-and-back", "pause", "restart", "slow"]
killed, back, paused, restarted, slowed = (Service(f"payments-{name}", module="payments") for name in NAMES)
MEMBERS = [killed, back, paused, restarted, slowed]
FAULTS = {
    "kill": faults.kill(killed),
    "kill-and-back": faults.kill(back, restart_after_s=1.2),
    "pause": faults.pause(paused),
    "restart": faults.restart(restarted),
    "slow": faults.slow(slowed, share=0.7),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["local", "compose"])
async def running(tmp_path_factory, request):
    """A process of payments for each fault; a container of it."""
    async with stack_up(tmp_path_factory.mktemp("stack"), MEMBERS, [], request.param) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def passed(running):
    """All faults of FAULTS, at once; five processes come up slowly on a busy machine."""
    return await season(running, FAULTS, lasts_s=4.5)


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_is_in_force_and_then_gone(passed, running, name):
    """Every process fault is seen by the canary while it is in, and by nobody before and after."""
    fault = passed[name]
    assert fault.dose.in_force, fault.dose
    assert fault.before == {"answered"}
    assert fault.after == {"answered"}
    assert await running.process(FAULTS[name].member).state() == "running"


async def test_what_was_read_back_says_what_the_operating_system_saw(passed):
    """Each process fault is proved by the state of the process, not by the signal having been sent."""
    assert passed["kill"].read_back == {"state": "gone"}
    assert passed["pause"].read_back == {"state": "paused"}
    assert passed["restart"].read_back["state"] == "running"
    assert passed["restart"].read_back["took_s"] > 0
    assert passed["slow"].read_back["stopped"] == "paused"
    assert passed["slow"].read_back["held_back_share"] == pytest.approx(0.7, abs=0.15)


async def test_no_fault_counts_as_an_unexpected_death(passed, running):
    """A process that a fault has ended is not mourned as a crash."""
    assert running.deaths() == []


@pytest.mark.parametrize("name", FAULTS)
async def test_a_cancelled_fault_is_undone(running, passed, name):
    """A phase that is cut short leaves the process running and answering, before the cancellation goes on."""
    fault = FAULTS[name]
    task = asyncio.create_task(hold(running, fault, entered := asyncio.Event()))
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await running.process(fault.member).state() == "running"
    outcome, _ = await ping(running.address(fault.member), "service", ProbeShape())
    assert outcome == "answered"


async def hold(running, fault, entered):
    """A phase that ends only when it is cancelled."""
    async with fault.inject(running):
        entered.set()
        await asyncio.sleep(60)


async def test_an_exit_that_is_not_excused_is_a_death(running, passed):
    """A process that a stranger has killed is started again either way; only the excused end goes unreported."""
    control, (pid, *_) = running.process(killed), running.pids(killed)
    before = len(running.deaths())
    await killed_by_a_stranger(control, pid)
    await control.restart(excused=True)
    assert len(running.deaths()) == before
    (pid, *_) = running.pids(killed)
    await killed_by_a_stranger(control, pid)
    await control.restart()
    assert len(running.deaths()) == before + 1


async def killed_by_a_stranger(control, pid):
    """Not by the lab."""
    os.kill(pid, signal.SIGKILL)
    while await control.state() != "gone":  # noqa: ASYNC110 - a process sets no Event
        await asyncio.sleep(0.01)


async def test_a_kill_is_undone_though_its_process_was_restarted_by_hand(running, passed):
    """Undoing finds the process there and lets it be."""
    control: ProcessControl = running.process(killed)
    async with faults.kill(killed).inject(running):
        await control.restart()
        (pid,) = running.pids(killed)
    assert list(running.pids(killed)) == [pid]


async def test_the_process_comes_back_when_its_time_has_come(running, passed):
    """A kill with `restart_after_s` ends within its phase."""
    async with faults.kill(back, restart_after_s=0.5).inject(running):
        since = time.monotonic()
        assert await running.process(back).state() == "gone"
        while await running.process(back).state() != "running":  # noqa: ASYNC110 - a process sets no Event
            await asyncio.sleep(0.01)
        assert time.monotonic() - since > 0.4
