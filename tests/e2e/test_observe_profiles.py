"""A real py-spy on real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from run_ids import fresh
from waits import printed

from lab.metrics.fold import parse, share_of
from lab.observe import profiles
from lab.observe.profiles import Profiler
from lab.runtime.base import Child, Spawn
from lab.runtime.spy import beside
from lab.runtime.supervisor import Supervisor

pytestmark = [pytest.mark.e2e, pytest.mark.untraced]
BUSY = """
def hot():
    return sum(range(20_000))

def cold():
    return sum(range(200))

print("up", flush=True)
while True:
    hot(), cold()
"""


@asynccontextmanager
async def busy(tmp_path: Path) -> AsyncIterator[tuple[Supervisor, Child]]:
    """A supervisor and a process that spends its time in `hot`."""
    async with Supervisor.open(tmp_path / "run", fresh("profiled")) as supervisor:
        child = supervisor.spawn("busy", [sys.executable, "-c", BUSY], log=tmp_path / "busy.log")
        await printed(child.log)
        yield supervisor, child


def spawner(supervisor: Supervisor, before: Sequence[str | Path]) -> Spawn:
    """Spawn with these words before each command."""

    def spawn(
        name: str,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        log: Path,
        cwd: Path | None = None,
    ) -> Child:
        return supervisor.spawn(name, [*before, *argv], env=env, log=log, cwd=cwd)

    return spawn


@pytest.mark.parametrize("untouched", [False, True])
async def test_a_profile_shows_where_the_time_goes(tmp_path: Path, untouched: bool) -> None:
    """Ended with the phase, py-spy writes a profile that is mostly the hot function, and nothing else."""
    async with busy(tmp_path) as (supervisor, child):
        folder = tmp_path / "profiles" / "1-off"
        services = {"busy": [beside(child.pid)]}
        profiler = Profiler.start(supervisor.spawn, services, "fault", folder, untouched=untouched)
        await asyncio.sleep(2)
        assert await profiler.finish() == []
        assert child.returncode is None
    profile = parse((folder / "busy.fault.folded").read_text())
    assert profile.samples > 20
    assert share_of(profile, "hot") > 0.8
    assert [file.name for file in folder.iterdir()] == ["busy.fault.folded"]


async def test_a_service_that_dies_keeps_its_profile_up_to_then(tmp_path: Path) -> None:
    """A process killed in the phase has a profile up to its end, and a note says so; one that was gone has none."""
    async with busy(tmp_path) as (supervisor, child):
        folder = tmp_path / "profiles"
        profiler = Profiler.start(supervisor.spawn, {"busy": [beside(child.pid)], "gone": []}, "fault", folder)
        await asyncio.sleep(1.5)
        os.kill(child.pid, signal.SIGKILL)
        await child.wait()
        await asyncio.sleep(0.5)
        notes = await profiler.finish()
    assert notes == [
        "gone has no profile of fault: it was not running",
        "the profile of busy in fault ends early: the process ended",
    ]
    assert parse((folder / "busy.fault.folded").read_text()).samples > 20


async def test_what_is_no_python_has_no_profile_and_a_reason(tmp_path: Path) -> None:
    """A process that py-spy cannot read gives a note with py-spy's words and no file."""
    async with Supervisor.open(tmp_path / "run", fresh("profiled")) as supervisor:
        child = supervisor.spawn("sleep", ["sleep", "60"], log=tmp_path / "log")
        profiler = Profiler.start(supervisor.spawn, {"sleep": [beside(child.pid)]}, "fault", tmp_path / "profiles")
        await asyncio.sleep(1)
        notes = await profiler.finish()
    assert notes == ["sleep has no profile of fault: py-spy says: Failed to find python version from target process"]
    assert list((tmp_path / "profiles").iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root can become somebody else")
async def test_without_permission_the_note_tells_the_way_out(tmp_path: Path) -> None:
    """Where the system forbids it, the note says what would allow it."""
    async with busy(tmp_path) as (supervisor, child):
        nobody = spawner(supervisor, before=["setpriv", "--reuid=65534", "--clear-groups"])
        profiler = Profiler.start(nobody, {"busy": [beside(child.pid)]}, "fault", tmp_path / "profiles")
        await asyncio.sleep(1)
        notes = await profiler.finish()
    assert notes == [f"busy has no profile of fault: py-spy may not read it; {profiles.way_out()}"]


async def test_without_py_spy_the_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where py-spy is not installed, or was ended before it began, there is a note and no exception."""
    async with busy(tmp_path) as (supervisor, child):
        hurried = Profiler.start(supervisor.spawn, {"busy": [beside(child.pid)]}, "fault", tmp_path / "profiles")
        assert await hurried.finish() == ["busy has no profile of fault: py-spy was ended before it had begun"]
        monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
        monkeypatch.setenv("PATH", str(tmp_path))
        profiler = Profiler.start(supervisor.spawn, {"busy": [beside(child.pid)]}, "fault", tmp_path / "profiles")
        (note,) = await profiler.finish()
    assert note.startswith("busy has no profile of fault: py-spy busy: there is no program py-spy")


async def test_a_py_spy_that_does_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recorder that does not heed the interrupt is killed, and the note says that there is no profile."""
    monkeypatch.setattr(profiles, "FINISH_WITHIN_S", 0.2)
    deaf = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    async with Supervisor.open(tmp_path / "run", fresh("profiled")) as supervisor:
        spawn = spawner(supervisor, before=[sys.executable, "-c", deaf])
        profiler = Profiler.start(spawn, {"busy": [beside(os.getpid())]}, "fault", tmp_path / "profiles")
        await printed(tmp_path / "profiles" / f"busy.fault.{os.getpid()}.log")
        assert len(await profiler.finish()) == 1
