"""What goes in comes out: through cancellation at any moment, errors, and a proxy or process that is gone."""

import asyncio
from contextlib import contextmanager

import pytest
from planted_probes import callee, caller, link

from lab import faults
from lab.errors import LabError, ProxyError, StartError
from lab.model import Link, Service
from lab.model.bench import Toxic

other_link = Link(caller, Service("ledger"))
CUT = faults.partition([caller], [callee, other_link.callee], links=[link, other_link])


class MemoryLink:
    """A link whose toxics are a list; `add_takes_s` is a busy proxy, `fails` what it answers to a kind of call."""

    def __init__(self, add_takes_s=0.0, **fails):
        self.there = []
        self.enabled = True
        self.add_takes_s = add_takes_s
        self.fails = fails

    async def add(self, toxic):
        """As a proxy that carries on though its client has left."""
        if "add" in self.fails:
            raise self.fails["add"]
        await asyncio.shield(asyncio.create_task(self._put(toxic)))
        return toxic

    async def _put(self, toxic):
        await asyncio.sleep(self.add_takes_s)
        self.there.append(toxic)

    async def update(self, toxic):
        raise AssertionError("no fault changes a toxic")

    async def remove(self, name):
        if "remove" in self.fails:
            raise self.fails["remove"]
        self.there = [toxic for toxic in self.there if toxic.name != name]

    async def set_enabled(self, enabled):
        self.enabled = enabled

    async def toxics(self):
        return self.there


class MemoryProcess:
    """A process that is a word. `deaf`: signals do nothing."""

    def __init__(self, restart_takes_s=0.0, deaf=False, restart_fails=0):
        self.now = "running"
        self.restarts = 0
        self.restart_takes_s = restart_takes_s
        self.deaf = deaf
        self.restart_fails = restart_fails

    async def kill(self):
        self.now = "gone"

    async def pause(self):
        if self.now == "gone":
            raise StartError("it is gone")
        self.now = self.now if self.deaf else "paused"

    async def resume(self):
        self.now = "running" if self.now == "paused" else self.now

    async def restart(self):
        await asyncio.sleep(self.restart_takes_s)
        self.restarts += 1
        if self.restarts <= self.restart_fails:
            self.now = "gone"
            raise StartError("payments: port taken")
        self.now = "running"

    async def state(self):
        return self.now


class MemoryBench:
    """A bench of such links and processes, and a journal that is a list."""

    def __init__(self, links=(), process=None):
        self.links = dict(links)
        self.the_process = process
        self.lines = []

    def link(self, link):
        return self.links[link]

    def process(self, member):
        return self.the_process

    @contextmanager
    def journal(self, what, **facts):
        self.lines.append(f"in: {what}")
        yield
        self.lines.append(f"out: {what}")


async def started(work):
    """A task that has had every chance to run as far as it can."""
    task = asyncio.create_task(work)
    await asyncio.sleep(0.02)
    return task


async def hold(fault, bench):
    """A phase with the fault in."""
    async with fault.inject(bench):
        await asyncio.sleep(60)


async def test_the_journal_is_written_before_and_after():
    """A fault stands in the journal before the proxy hears of it, and as out only when it is."""
    control = MemoryLink()
    bench = MemoryBench({link: control})
    seen = []
    control.add = lambda toxic: seen.append(list(bench.lines)) or MemoryLink.add(control, toxic)
    async with faults.noop(link).inject(bench):
        assert seen == [["in: payments untouched"]]
        assert bench.lines == ["in: payments untouched"]
    assert bench.lines == ["in: payments untouched", "out: payments untouched"]


async def test_cancelled_while_the_proxy_is_still_adding():
    """A toxic that is under way when the phase is cancelled is waited for and taken out: none slips in after."""
    control = MemoryLink(add_takes_s=0.1)
    task = await started(hold(faults.silence(link), MemoryBench({link: control})))
    assert control.there == []
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0.3)
    assert control.there == []


async def test_cancelled_twice_while_undoing():
    """A second Ctrl-C does not interrupt the undoing."""
    control = MemoryLink()
    slow_remove = control.remove

    async def remove(name):
        await asyncio.sleep(0.05)
        await slow_remove(name)

    control.remove = remove
    task = await started(hold(faults.silence(link), MemoryBench({link: control})))
    task.cancel()
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert control.there == []


async def test_half_of_a_partition_is_taken_out():
    """Where one link refuses, the others get their toxics out again and the refusal is told."""
    good, bad = MemoryLink(), MemoryLink(add=ProxyError("proxy not found"))
    with pytest.raises(ProxyError, match="proxy not found"):
        async with CUT.inject(MemoryBench({link: good, other_link: bad})):
            raise AssertionError("it must not get here")
    assert good.there == []


async def test_one_link_that_cannot_be_healed_leaves_no_other_broken():
    """Undoing goes on past a link that fails, and says in the end what could not be undone."""
    good, bad = MemoryLink(), MemoryLink(remove=ProxyError("no answer within 3 s"))
    with pytest.raises(LabError, match=r"could not be undone \(no answer within 3 s\)"):
        async with CUT.inject(MemoryBench({link: good, other_link: bad})):
            pass
    assert good.there == []


async def test_a_dead_proxy_does_not_hide_the_first_error():
    """The error of the phase is the one that is raised; that undoing failed too is a note on it."""
    control = MemoryLink(remove=ProxyError("the proxy has ended"))
    with pytest.raises(KeyError) as raised:
        async with faults.silence(link).inject(MemoryBench({link: control})):
            raise KeyError("the phase broke")
    assert "could not be undone (the proxy has ended)" in raised.value.__notes__[0]


async def test_what_somebody_else_undid_is_no_error():
    """Undoing twice is harmless."""
    control = MemoryLink()
    async with faults.silence(link).inject(MemoryBench({link: control})):
        control.there.clear()


async def test_a_toxic_of_others_stays():
    """A fault takes out only what it put in."""
    control = MemoryLink()
    control.there = [Toxic("theirs", "noop")]
    async with faults.silence(link).inject(MemoryBench({link: control})):
        pass
    assert control.there == [Toxic("theirs", "noop")]


async def test_a_link_taken_down_comes_up_though_the_phase_breaks():
    """Down is undone on an error as on time."""
    control = MemoryLink()

    async def phase():
        async with faults.down(link).inject(MemoryBench({link: control})) as read_back:
            assert (read_back, control.enabled) == ({"enabled": False}, False)
            raise ValueError("broke")

    with pytest.raises(ValueError, match="broke"):
        await phase()
    assert control.enabled


async def test_a_pause_that_did_not_take_is_told(monkeypatch):
    """A process that goes on running is no paused process, whatever was sent to it."""
    monkeypatch.setattr("lab.faults.kit.process.SIGNAL_TAKES_S", 0.05)
    with pytest.raises(LabError, match="payments: asked to be paused, read back running"):
        async with faults.pause(callee).inject(MemoryBench(process=MemoryProcess(deaf=True))):
            pass


async def test_a_kill_cancelled_while_it_comes_back_waits_for_it():
    """A restart under way when the phase ends is let finish, and not begun again."""
    process = MemoryProcess(restart_takes_s=0.1)
    async with faults.kill(callee, restart_after_s=0.5).inject(MemoryBench(process=process)):
        await asyncio.sleep(0.55)
        assert process.now == "gone"
    assert (process.now, process.restarts) == ("running", 1)


async def test_a_kill_is_undone_once():
    """What has come back in its phase is not started again at its end."""
    process = MemoryProcess()
    async with faults.kill(callee, restart_after_s=0.5).inject(MemoryBench(process=process)):
        await asyncio.sleep(0.6)
    assert process.restarts == 1


async def test_a_restart_that_failed_is_tried_again_at_the_end():
    """A restart that fails in the phase has a second chance at its end; what fails then is told."""
    process = MemoryProcess(restart_fails=1)
    async with faults.restart(callee).inject(MemoryBench(process=process)):
        await asyncio.sleep(0.02)
    assert (process.now, process.restarts) == ("running", 2)
    with pytest.raises(LabError, match=r"payments restarted: could not be undone \(payments: port taken\)"):
        async with faults.restart(callee).inject(MemoryBench(process=MemoryProcess(restart_fails=2))):
            pass


async def test_a_process_that_dies_while_held_back_ends_the_turns():
    """Turns stop with their process, and undoing finds nothing to do."""
    process = MemoryProcess()
    async with faults.slow(callee, share=0.2).inject(MemoryBench(process=process)):
        process.now = "gone"
        await asyncio.sleep(0.3)
    assert process.now == "gone"
