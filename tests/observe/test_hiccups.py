import asyncio
import signal
import time
from pathlib import Path

import pytest
from run_ids import fresh
from waits import until

from lab.observe.hiccups import Meter, Wake, between, hiccups
from lab.runtime.supervisor import Supervisor


class Noted:
    """A child that has ended, of which only the notes are left."""

    pid = 0
    returncode = 0

    def __init__(self, log: Path) -> None:
        self.log = log

    async def stop(self, grace_s: float = 5.0) -> int:
        return 0

    async def wait(self) -> int:
        return 0

    def tail(self, lines: int = 20) -> str:
        return ""


def late(*late_ms: float) -> list[Wake]:
    """Wake-ups that were this late, in a row."""
    return [Wake(n / 200, value) for n, value in enumerate(late_ms)]


def test_a_pause_counts_for_all_who_would_have_met_it():
    """A second's pause in ten is met by a tenth of all moments, though it is one late wake-up among 1,800 on time."""
    found = hiccups(late(*[0.1] * 1800, 1000.0))
    assert found.max_ms == 1000
    assert found.p99_ms == pytest.approx(900, abs=10)


def test_what_is_not_late_is_counted_once():
    """Below a period there is nothing that was missed."""
    assert hiccups(late(*[1.0] * 99, 4.9)) == (1.0, 4.9)


def test_only_its_own_stretch_counts(tmp_path):
    """By the time it was due, a wake-up belongs to one stretch; what is no note, or half a one, to none."""
    log = tmp_path / "hiccups.txt"
    log.write_text("10.0010 1.000\n11.0030 3.000\nCoverageWarning: no data\n12.0500 50.000\n12.3")
    wakes = Meter(Noted(log)).wakes()
    assert between(wakes, 10, 11) == (1, 1)
    assert between(wakes, 11, 12) == (3, 3)
    assert between(wakes, 12, 13) == (50, 50)
    assert between(wakes, 13, 14) is None


@pytest.mark.e2e
async def test_a_stopped_process_is_a_hiccup(tmp_path):
    """The real meter, held for a while as a host would hold a virtual machine, says for how long."""
    async with Supervisor.open(tmp_path / "state", fresh("hiccups")) as supervisor:
        children = []

        def spawn(*words, **options):
            children.append(supervisor.spawn(*words, **options))
            return children[-1]

        meter = Meter.start(spawn, tmp_path)
        await until(meter.wakes)
        held = time.perf_counter()
        children[0].signal(signal.SIGSTOP)
        await asyncio.sleep(0.5)
        children[0].signal(signal.SIGCONT)
        await until(lambda: (found := between(meter.wakes(), held - 0.01, time.perf_counter())) and found.max_ms > 450)
        await meter.stop()
        assert children[0].returncode is not None
