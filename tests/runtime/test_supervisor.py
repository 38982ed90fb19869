import asyncio
import errno
import os
import signal
import sys
from functools import partial

import pytest
from run_ids import fresh
from waits import gone, printed, until

from lab.errors import LabError, StartError
from lab.runtime import journal, leash, processes
from lab.runtime import supervisor as supervisor_room
from lab.runtime.supervisor import Supervisor, base_environment, ending, last_lines

pytestmark = pytest.mark.e2e

PYTHON = sys.executable
SLEEP = [PYTHON, "-I", "-S", "-c", "import time; print('up', flush=True); time.sleep(60)"]
STUBBORN = [
    PYTHON, "-I", "-S", "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)",
]  # fmt: skip
GRANDCHILD = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)"], start_new_session=True)
print(child.pid, flush=True)
time.sleep(60)
"""


async def test_a_child_runs_in_a_session_of_its_own_with_the_mark_of_the_run(tmp_path):
    """A child leads a session of its own and carries the run's mark in its environment."""
    run = fresh("session")
    async with Supervisor.open(tmp_path / run, run) as supervisor:
        child = supervisor.spawn("sleeper", SLEEP, log=tmp_path / "log")
        await printed(child.log)
        assert os.getsid(child.pid) == child.pid
        assert child.pid in leash.survivors(run, tmp_path / run)
        assert child.returncode is None


async def test_leaving_ends_everything_and_removes_the_folder(tmp_path):
    """After the run no child, no leash and no folder of it is left."""
    run = fresh()
    async with Supervisor.open(tmp_path / run, run) as supervisor:
        pids = [supervisor.spawn(f"s{n}", SLEEP, log=tmp_path / "log").pid for n in range(3)]
    assert not any(processes.look(pid) for pid in pids)
    assert leash.survivors(run, tmp_path / run) == []
    assert not (tmp_path / run).exists()


async def test_an_exception_ends_everything_too(tmp_path):
    """An exception in the run ends its children before it is seen."""
    pids: list[int] = []

    async def run() -> None:
        async with Supervisor.open(tmp_path / "r", fresh("broken")) as supervisor:
            pids.append(supervisor.spawn("sleeper", SLEEP, log=tmp_path / "log").pid)
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await run()
    assert processes.look(pids[0]) is None


async def test_cancellation_ends_everything_too(tmp_path):
    """A cancelled run ends its children before the cancellation is seen."""
    pids: list[int] = []

    async def run() -> None:
        async with Supervisor.open(tmp_path / "r", fresh("cancelled")) as supervisor:
            pids.append(supervisor.spawn("sleeper", SLEEP, log=tmp_path / "log").pid)
            await asyncio.sleep(60)

    task = asyncio.create_task(run())
    await until(lambda: pids)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert processes.look(pids[0]) is None


async def test_a_cancellation_while_it_closes_does_not_break_the_closing_off(tmp_path):
    """A first Ctrl-C that comes while everything is stopped lets it be stopped, and is passed on after."""
    run, pids = fresh("closing"), []

    async def life() -> None:
        async with Supervisor.open(tmp_path / run, run) as supervisor:
            child = supervisor.spawn("stubborn", STUBBORN, log=tmp_path / "log")
            await printed(child.log)
            pids.append(child.pid)
            real = child.kill

            async def killed() -> int:
                task.cancel()  # its grace is over, and somebody presses Ctrl-C
                await asyncio.sleep(0)
                return await real()

            child.kill = killed
            child.stop = partial(child.stop, grace_s=0.01)

    task = asyncio.create_task(life())
    with pytest.raises(asyncio.CancelledError):
        await task
    assert processes.look(pids[0]) is None
    assert not (tmp_path / run).exists()


async def test_a_process_that_does_not_end_is_named(tmp_path, monkeypatch):
    """One that hangs in the kernel is waited for no longer than agreed, and told of; the rest is stopped."""
    monkeypatch.setattr(supervisor_room, "KILLED_S", 0.1)
    run, left = fresh("hangs"), []
    async with Supervisor.open(tmp_path / run, run, left) as supervisor:
        child = supervisor.spawn("payments", SLEEP, log=tmp_path / "log")
        monkeypatch.setattr(child, "wait", asyncio.Event().wait)
        monkeypatch.setattr(child, "stop", partial(child.stop, grace_s=0.01))
    assert [sentence.partition(";")[0] for sentence in left] == [
        f"payments (process {child.pid}) did not end within 0.1 s of SIGKILL"
    ]
    assert not (tmp_path / run).exists()


async def test_a_leash_that_hangs_is_not_waited_for_without_end(tmp_path, monkeypatch):
    """A leash that is stopped does not hold up the end of its run."""
    monkeypatch.setattr(supervisor_room, "LEASH_S", 0.1)
    run = fresh("hangs")
    async with Supervisor.open(tmp_path / run, run) as supervisor:
        (leash_pid,) = leash.survivors(run, supervisor.state_dir)
        os.kill(leash_pid, signal.SIGSTOP)
    assert await gone(leash_pid)


async def test_one_that_ignores_sigterm_is_killed_after_its_grace(tmp_path):
    """A child that ignores SIGTERM is killed once its grace is over."""
    async with Supervisor.open(tmp_path / "r", fresh("stubborn")) as supervisor:
        child = supervisor.spawn("stubborn", STUBBORN, log=tmp_path / "log")
        await printed(child.log)
        assert await child.stop(grace_s=0.1) == -signal.SIGKILL
        assert child.returncode == -signal.SIGKILL


async def test_a_paused_child_can_be_stopped(tmp_path):
    """A paused child hears SIGTERM: stopping lets it go on."""
    async with Supervisor.open(tmp_path / "r", fresh("paused")) as supervisor:
        child = supervisor.spawn("sleeper", SLEEP, log=tmp_path / "log")
        await printed(child.log)
        child.signal(signal.SIGSTOP)
        assert await child.stop() == -signal.SIGTERM


async def test_grandchildren_of_another_session_end_with_the_run(tmp_path):
    """A grandchild that left for a session of its own is found by the run's mark when the run ends."""
    async with Supervisor.open(tmp_path / "r", fresh("grand")) as supervisor:
        child = supervisor.spawn("parent", [PYTHON, "-c", GRANDCHILD], log=tmp_path / "log")
        grandchild = int(await printed(child.log))
        assert grandchild in leash.survivors(supervisor.run_id, supervisor.state_dir)
    assert await gone(grandchild)


async def test_when_a_leader_ends_the_rest_of_its_group_goes(tmp_path):
    """What a child leaves behind in its process group is killed as soon as the child ends."""
    script = GRANDCHILD.replace(", start_new_session=True", "").replace("time.sleep(60)\n", "sys.exit(3)\n")
    async with Supervisor.open(tmp_path / "r", fresh("group")) as supervisor:
        child = supervisor.spawn("parent", [PYTHON, "-c", script], log=tmp_path / "log")
        assert await child.wait() == 3
        assert await gone(int(child.tail()))


async def test_a_program_that_is_not_there_is_named(tmp_path):
    """A missing program is a StartError that names it, and nothing has been started."""
    async with Supervisor.open(tmp_path / "r", fresh("missing")) as supervisor:
        with pytest.raises(StartError, match="db: there is no program no-such-server"):
            supervisor.spawn("db", ["no-such-server"], log=tmp_path / "log")


async def test_the_journal_tells_the_life_of_each_process(tmp_path):
    """The journal holds the run's begin, and each process before its start, after it and at its end."""
    async with Supervisor.open(tmp_path / "r", fresh("journal")) as supervisor:
        child = supervisor.spawn("sleeper", [PYTHON, "-c", "raise SystemExit(7)"], log=tmp_path / "log")
        assert await child.wait() == 7
        entries = journal.read(supervisor.journal.path)
    assert [entry.kind for entry in entries] == ["run begins", "process starts", "process started", "process ended"]
    assert entries[0].facts["pid"] == os.getpid()
    assert entries[2].facts["pid"] == entries[3].facts["pid"] == child.pid
    assert entries[2].facts["started"] == child.started != ""
    assert entries[3].facts["returncode"] == 7


async def test_output_and_environment(tmp_path):
    """A child gets what it is given and nothing of the person's shell; its output is appended to its log."""
    script = "import os; print(os.environ['GIVEN'], os.environ.get('BREAKER'), os.environ['LAB_RUN'], os.getcwd())"
    os.environ["BREAKER"] = "from the shell"
    try:
        async with Supervisor.open(tmp_path / "r", fresh("env")) as supervisor:
            for _ in range(2):
                child = supervisor.spawn(
                    "env", [PYTHON, "-c", script], env={"GIVEN": "yes"}, log=tmp_path / "logs/env.log", cwd=tmp_path
                )
                assert await child.wait() == 0
            assert child.tail() == "\n".join([f"yes None {supervisor.run_id} {tmp_path}"] * 2)
            assert child.tail(lines=1) == f"yes None {supervisor.run_id} {tmp_path}"
    finally:
        del os.environ["BREAKER"]
    assert "BREAKER" not in base_environment()


def refused(pid):
    """What a sandbox, an older kernel, or too many open files make of it."""
    raise OSError(errno.EMFILE, "Too many open files")


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="the way of systems without pidfd is the only one here")
@pytest.mark.parametrize("instead", [None, refused])
async def test_ends_are_noticed_without_pidfd_too(tmp_path, monkeypatch, instead):
    """Where the kernel has no pidfd (macOS), or gives none, a thread notices the end of a child."""
    if instead:
        monkeypatch.setattr(os, "pidfd_open", instead)
    else:
        monkeypatch.delattr(os, "pidfd_open")
    async with Supervisor.open(tmp_path / "r", fresh("thread")) as supervisor:
        short = supervisor.spawn("short", [PYTHON, "-c", "raise SystemExit(4)"], log=tmp_path / "log")
        long = supervisor.spawn("long", SLEEP, log=tmp_path / "log")
        assert await short.wait() == 4
    assert long.returncode == -signal.SIGTERM


async def test_a_run_goes_on_when_somebody_kills_the_leash(tmp_path):
    """Without its leash a run still starts and ends its children."""
    async with Supervisor.open(tmp_path / "r", fresh("noleash")) as supervisor:
        for pid in leash.survivors(supervisor.run_id, supervisor.state_dir):
            os.kill(pid, signal.SIGKILL)
            assert await gone(pid)
        child = supervisor.spawn("sleeper", SLEEP, log=tmp_path / "log")
        assert await child.stop() == -signal.SIGTERM


def test_endings_in_words():
    """A return code reads as an exit code or as the signal that killed."""
    assert [ending(code) for code in (0, 3, -9, -200)] == [
        "exit code 0", "exit code 3", "killed by SIGKILL", "killed by signal 200",
    ]  # fmt: skip


def test_no_log_has_no_last_lines(tmp_path):
    """A log that was never written has no last lines."""
    assert last_lines(tmp_path / "none") == ""


async def test_a_home_that_is_a_file_is_told(tmp_path):
    """`.lab` that is a file: one sentence, with the way out."""
    (tmp_path / ".lab").write_text("")
    with pytest.raises(LabError, match=r"\.lab/runs/r: cannot be made \(Not a directory\).*LAB_HOME"):
        async with Supervisor.open(tmp_path / ".lab" / "runs" / "r", fresh("home")):
            pass


async def test_a_run_that_cannot_begin_its_journal_leaves_no_folder(tmp_path, monkeypatch):
    """Neither a folder of the run nor its leash."""

    def full(descriptor, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(LabError, match="No space left on device"):
        async with Supervisor.open(tmp_path / "runs" / "r", fresh("full")):
            pass
    assert list((tmp_path / "runs").iterdir()) == []


async def test_a_folder_that_is_there_already_is_left_alone(tmp_path):
    """Another run has that id: it keeps its journal and its data."""
    (tmp_path / "taken" / "scratch").mkdir(parents=True)
    with pytest.raises(LabError, match="taken: cannot be made"):
        async with Supervisor.open(tmp_path / "taken", fresh()):
            pass
    assert (tmp_path / "taken" / "scratch").is_dir()


async def test_a_run_whose_leash_cannot_start_leaves_no_folder(tmp_path, monkeypatch):
    """Too many processes, or open files: nothing was begun."""

    def full(run_id, state_dir):
        raise OSError(errno.EAGAIN, "no more processes")

    monkeypatch.setattr(supervisor_room, "_start_leash", full)
    with pytest.raises(OSError, match="no more processes"):
        async with Supervisor.open(tmp_path / "run", fresh()):
            pass
    assert list(tmp_path.iterdir()) == []


async def test_the_work_of_a_leash_that_hangs_is_done_all_the_same(tmp_path, monkeypatch):
    """It was killed without a word, and the journal by which heal would have found the rest went with the folder."""
    monkeypatch.setattr(supervisor_room, "LEASH_S", 0.2)
    run, left = fresh("hangs"), []
    async with Supervisor.open(tmp_path / run, run, left) as supervisor:
        child = supervisor.spawn("parent", [PYTHON, "-I", "-S", "-c", GRANDCHILD], log=tmp_path / "log")
        grandchild = int(await printed(child.log))
        os.kill(supervisor._leash.pid, signal.SIGSTOP)
    assert processes.look(grandchild) is None
    assert left == []
