"""Faults of a disk: switched on and off, and a receipt that says what the disk itself counted meanwhile."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
from planted_probes import probes

from lab import faults
from lab.errors import LabError
from lab.model import Fault, Service
from lab.record import Probe

server = Service("db")


class Disk:
    """A disk that counts what it is told to have counted."""

    def __init__(self, after: dict) -> None:
        self.asked: list[dict] = []
        self._after = after

    async def trouble(self, what: dict) -> dict:
        self.asked.append(what)
        before = {"writes": 5, "written_bytes": 50, "fsyncs": 10, "fsync_s": 1.0, "fsync EIO given": 1}
        return before if len(self.asked) == 1 else {**before, **self._after}

    def __call__(self, member: Service) -> Disk:
        assert member is server
        return self


class Process:
    """A process that is in these states, one at each look, and the last from then on."""

    def __init__(self, *states: str) -> None:
        self._states = [*states]
        self.restarts: list[bool] = []

    async def state(self) -> str:
        return self._states.pop(0) if len(self._states) > 1 else self._states[0]

    async def restart(self, *, excused: bool = False) -> None:
        self.restarts.append(excused)

    def __call__(self, member: Service) -> Process:
        assert member is server
        return self


class Bench:
    """Of one server."""

    def __init__(self, *states: str, **after) -> None:
        self.disk = Disk(after)
        self.process = Process(*states)

    def journal(self, what, **facts):
        return nullcontext()


async def receipt(fault: Fault, bench: Bench) -> dict:
    """What is in its receipt at the end."""
    async with fault.inject(bench) as facts:
        assert len(bench.disk.asked) == 1
    return dict(facts)


async def test_a_slow_disk_took_its_time() -> None:
    """Ten syncs of 20 ms, and quick again after."""
    bench = Bench(fsyncs=20, fsync_s=1.2)
    facts = await receipt(faults.slow_fsync(server, ms=20), bench)
    assert (facts["fsyncs"], facts["fsync_s"]) == (10, 0.2)
    assert "error" not in facts
    assert bench.disk.asked == [{"fsync_ms": 20}, {"fsync_ms": 0}]


async def test_a_slow_disk_that_was_quick_is_told() -> None:
    """Ten syncs in 0.1 s contradict 20 ms each; the run is UNKNOWN by that."""
    facts = await receipt(faults.slow_fsync(server, ms=20), Bench(fsyncs=20, fsync_s=1.1))
    assert "10 syncs took 0.100 s, where 0.180 s were due" in facts["error"]


def syncs(*ms: float | str) -> list[Probe]:
    """The canary's, ten a second; as many of the last as fill five seconds."""
    every = [*ms, *[ms[-1]] * (50 - len(ms))]
    return probes(lambda n: every[min(n, 49)], None, target="db-disk")


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (syncs(20.1), ""),
        (syncs(*[20.4] * 30, "timeout"), ""),
        (syncs(*[20.4] * 30, 0.3, 20.4), "1 probes in a row synced in less than 20 ms, from 13.0 to 13.0 s"),
        (syncs(0.3)[:12], "too few probes: 5; 10 are needed (a longer phase gives more)"),
        ([], "too few probes: 0; 10 are needed (a longer phase gives more)"),
        ([p for p in syncs(20.1) if not 11.5 < p.at_s < 13], "no probe from 11.5 to 13.0 s, so nothing is shown about"),
    ],
)
def test_a_slow_disk_is_slow_for_the_canary_too(seen: list[Probe], why: str) -> None:
    """Each of its syncs takes as long, and it looks all the time: whatever the disk itself has counted."""
    dose = faults.slow_fsync(server, ms=20).dose(seen)
    assert (dose.in_force, dose.why[: len(why)]) == (not why, why)


async def test_a_full_disk() -> None:
    """The room that it leaves, and all of it back."""
    bench = Bench(**{"write ENOSPC given": 3})
    facts = await receipt(faults.disk_full(server, leaves_mb=2), bench)
    assert facts["write ENOSPC given"] == 3
    assert bench.disk.asked == [{"leaves_bytes": 2_000_000}, {"leaves_bytes": None}]


@pytest.mark.parametrize(("then", "exited", "restarts"), [("gone", True, [True]), ("running", False, [])])
async def test_a_server_that_a_full_disk_has_ended_is_started_again(
    then: str, exited: bool, restarts: list[bool]
) -> None:
    """Once there is room, and excused; one that did not exit is let be."""
    bench = Bench("running", then, **{"write ENOSPC given": 3})
    facts = await receipt(faults.disk_full(server, restarts=True), bench)
    assert facts["exited"] is exited
    assert facts["write ENOSPC given"] == 3
    assert bench.process.restarts == restarts
    assert bench.disk.asked == [{"leaves_bytes": 0}, {"leaves_bytes": None}]


async def test_a_server_that_was_gone_before_is_not_this_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes no room then, and excuses nothing."""
    monkeypatch.setattr("lab.faults.kit.process.SIGNAL_TAKES_S", 0)
    bench = Bench("gone")
    with pytest.raises(LabError, match="db: asked to be running, read back gone"):
        await receipt(faults.disk_full(server, restarts=True), bench)
    assert bench.process.restarts == []
    assert bench.disk.asked == []


async def test_without_restarts_its_process_is_not_looked_at() -> None:
    """An exit is then the server's own, and a death."""
    bench = Bench("running", "gone")
    assert "exited" not in await receipt(faults.disk_full(server), bench)
    assert bench.process.restarts == []
    assert not faults.disk_full(server).starts_again_at_the_end
    assert faults.disk_full(server, restarts=True).starts_again_at_the_end


@pytest.mark.parametrize(("given", "wrong"), [(2, False), (1, True)])
async def test_errors_that_none_got_are_told(given: int, wrong: bool) -> None:
    """A fault that gave no error was not in force."""
    bench = Bench(**{"fsync EIO given": given})
    facts = await receipt(faults.io_error(server, on="fsync"), bench)
    assert ("error" in facts) is wrong
    assert bench.disk.asked == [{"on": "fsync", "fails": True}, {"on": "fsync", "fails": False}]


@pytest.mark.parametrize(
    "fault", [faults.power_loss(server), faults.slow_fsync(server, ms=1), faults.disk_full(server)]
)
def test_each_asks_for_a_disk(fault: Fault) -> None:
    """So that the server's data are on one in every variant."""
    assert fault.disks == (server,)
