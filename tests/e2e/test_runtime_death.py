import asyncio
import ctypes
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from run_ids import fresh
from waits import until

from lab.runtime import journal, leash, outside, processes
from lab.runtime.heal import heal

pytestmark = [pytest.mark.e2e, pytest.mark.untraced]

ROOT = Path(__file__).parents[2]
DRIVER = Path(__file__).parent / "driver_of_a_stack.py"
NOTHING_LEFT_S = 3.0


@pytest.fixture
def runs(tmp_path):
    """Where the runs' state is."""
    return tmp_path / "runs"


@pytest.fixture
def driven(tmp_path, runs, request):
    """A lab in small with a stack that is up: the process, the run's id, its ports."""
    run = fresh("death")
    more = getattr(request, "param", [])
    process = subprocess.Popen(
        [sys.executable, DRIVER, tmp_path, run, *more],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), "TOXIPROXY": "builtin"},
        text=True,
    )
    line = process.stdout.readline()
    assert line, "the driver did not come up"
    yield process, run, [int(port) for port in line.split()]
    leash.end(run, runs / run)
    process.kill()
    process.wait()
    process.stdout.close()


def answers(port):
    """Whether somebody accepts connections there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def marked(run):
    """Everything on the machine that carries the run's mark, by another way than the lab's own."""
    listing = subprocess.run(
        ["grep", "-alsz", f"^LAB_RUN={run}$", *Path("/proc").glob("[0-9]*/environ")], capture_output=True
    )
    return listing.stdout.decode().split()


async def nothing_left(run, folder, ports):
    """Wait at most three seconds until no process and no open port of the run is left.

    The ports are waited for as well: a process that dies has lost its memory, and so its mark, some milliseconds
    before the kernel closes its sockets.
    """
    await until(
        lambda: not leash.survivors(run, folder / run) and not any(map(answers, ports)), within_s=NOTHING_LEFT_S
    )
    assert marked(run) == []


@pytest.mark.parametrize("driven", [[], ["postgres"]], indirect=True, ids=["services", "with postgres"])
async def test_kill_9_of_the_lab_leaves_nothing(driven, runs):
    """Three seconds after `kill -9` of the lab no process of the run is left, not even a paused one, and no port."""
    process, run, ports = driven
    assert len(leash.survivors(run, runs / run)) >= len(marked(run)) >= 4
    assert all(answers(port) for port in ports)
    process.kill()
    await nothing_left(run, runs, ports)
    said = heal(runs)
    assert said == [
        f'run {run}: the fault "silence" was in force; it went with its processes',
        f"run {run}: its lab is gone, its data are removed",
    ]
    assert not (runs / run).exists()
    assert heal(runs) == []


@pytest.mark.parametrize("driven", [["postgres"]], indirect=True)
async def test_kill_9_leaves_no_shared_memory_of_postgres(driven, runs):
    """Its segments are in the run's folder, and the one by which it keeps others off its data is removed."""
    process, run, ports = driven
    places = [runs / run, *outside.HOME.glob(f"chaos-lab-{run}-*")]  # of a lab that is root's
    (file,) = [found for place in places for found in place.rglob("postmaster.pid")]
    pid, *_, interlock, _ = file.read_text().splitlines()
    assert not segments_of(pid)
    key, number = map(int, interlock.split())
    libc = ctypes.CDLL(None)
    assert libc.shmget(key, 0, 0) == number
    process.kill()
    await nothing_left(run, runs, ports)
    await until(lambda: libc.shmget(key, 0, 0) == -1, within_s=NOTHING_LEFT_S)
    heal(runs)
    assert not [*outside.HOME.glob(f"chaos-lab-{run}-*")]


async def test_without_the_leash_the_kernel_ends_them(driven, runs):
    """On Linux the children end with the lab even where the leash was killed first."""
    if sys.platform != "linux":
        pytest.skip("PR_SET_PDEATHSIG is Linux's")
    process, run, ports = driven
    os.kill(leash_of(run, runs), signal.SIGKILL)
    process.kill()
    await nothing_left(run, runs, ports)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGQUIT, signal.SIGSEGV], ids=lambda number: number.name)
async def test_other_deaths_leave_nothing_either(driven, runs, number):
    """A lab that dies of a closed terminal, Ctrl-\\ or a crash leaves nothing."""
    process, run, ports = driven
    process.send_signal(number)
    await nothing_left(run, runs, ports)


async def test_ctrl_c_stops_the_stack_in_order(driven, runs):
    """Ctrl-C reaches only the lab, which stops its children itself and removes the folder."""
    process, run, ports = driven
    process.send_signal(signal.SIGINT)
    await nothing_left(run, runs, ports)
    await asyncio.to_thread(process.wait)
    assert not (runs / run).exists()


@pytest.mark.parametrize("driven", [["block"]], indirect=True)
async def test_heal_leaves_a_live_run_alone(driven, runs):
    """A run whose lab is alive is named and left alone, even when that lab hangs."""
    process, run, ports = driven
    assert heal(runs) == [f"run {run}: its lab is alive (process {process.pid}), left alone"]
    assert answers(ports[1])


async def test_heal_ends_what_survived_everything(driven, runs):
    """Processes that outlived lab and leash, paused ones too, are killed by heal and named."""
    process, run, ports = driven
    os.kill(leash_of(run, runs), signal.SIGSTOP)
    orphan = sleeper({"LAB_RUN": run})
    process.kill()
    process.wait()
    await until(lambda: not answers(ports[1]))
    said = await asyncio.to_thread(heal, runs)
    assert f"run {run}: killed process {orphan.pid} (started by one of its processes)" in said
    assert orphan.wait() == -signal.SIGKILL
    await nothing_left(run, runs, ports)


def test_a_reused_id_is_never_harmed(runs):
    """A stranger that now has the id of a journaled process is left alone: its start is another."""
    stranger = sleeper({})
    run = fresh("old")
    folder = runs / run
    folder.mkdir(parents=True)
    log = journal.Journal(folder / "journal.jsonl")
    log.write("run begins", run=run, pid=stranger.pid, started="another boot:1")
    log.write("process started", name="payments", pid=stranger.pid, started="another boot:2")
    log.close()
    assert heal(runs) == [f"run {run}: its lab is gone, its data are removed"]
    assert processes.look(stranger.pid)
    stranger.kill()
    stranger.wait()


def leash_of(run, folder):
    """The process id of a run's leash."""
    for pid in leash.survivors(run, folder / run):
        if b"leash.py" in Path(f"/proc/{pid}/cmdline").read_bytes():
            return pid
    raise AssertionError("no leash")


def segments_of(pid):
    """What a process has in /dev/shm."""
    return [line for line in Path(f"/proc/{pid}/maps").read_text().splitlines() if " /dev/shm/" in line]


def sleeper(env):
    """A process that nobody supervises."""
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], env=env, start_new_session=True)
