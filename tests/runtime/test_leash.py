import errno
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from run_ids import fresh
from waits import gone, until

from lab.runtime import child, leash

pytestmark = pytest.mark.e2e
needs_proc = pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc on this system")

SLOW_TO_FREE_BYTES = 256 * 2**20  # takes the kernel some milliseconds


def sleeper(run="", **more):
    """A process that nobody supervises, with a run's mark or without."""
    environment = {"LAB_RUN": run} if run else {}
    script = "import time; print(1, flush=True); time.sleep(60)"
    process = subprocess.Popen(
        [sys.executable, "-c", script], env=environment, start_new_session=True, stdout=subprocess.PIPE, **more
    )
    process.stdout.readline()  # from here on it is itself, with its own environment
    return process


def started(words, **more):
    """Python, in a session of its own."""
    return subprocess.Popen([sys.executable, *words], start_new_session=True, **more)


@pytest.fixture
def run():
    """A run of its own."""
    return fresh("leash")


@pytest.mark.parametrize("source", ["/proc", "ps"])
def test_only_the_marked_belong_to_a_run(run, tmp_path, monkeypatch, source):
    """A process belongs to a run by its mark, read from /proc or ps; a name that only begins alike is another's."""
    if source == "ps":
        monkeypatch.setattr(leash, "_from_proc", lambda run, folder: leash._from_ps(run))
        if sys.platform == "linux":  # its ps has the flags of BSD for what macOS calls -E
            monkeypatch.setattr(leash, "PS", ["ps", "axeww", "-o", "pid=,command="])
    own, other, none = sleeper(run), sleeper(f"{run}0"), sleeper()
    assert leash.survivors(run, tmp_path) == [own.pid]
    assert leash.end(run, tmp_path) == []
    assert own.wait() == -signal.SIGKILL
    for process in (other, none):
        assert process.poll() is None
        process.kill()
        process.wait()


@needs_proc
@pytest.mark.skipif(sys.platform != "linux", reason="macOS does not tell where another process works")
def test_one_that_hides_its_mark_is_known_by_its_place(run, tmp_path):
    """A process without the mark belongs to the run whose folder it works in, also when that has been removed."""
    folder = tmp_path / run
    (folder / "data").mkdir(parents=True)
    beside = tmp_path / f"{run}-beside"
    beside.mkdir()
    hidden, stranger = sleeper(cwd=folder / "data"), sleeper(cwd=beside)
    (folder / "data").rmdir()
    (tmp_path / "linked").symlink_to(tmp_path)  # the kernel tells a place without the links that lead to it
    for way in (folder, tmp_path / "linked" / run):
        assert leash.survivors(run, way) == [hidden.pid]
    leash.end(run, folder)
    assert hidden.wait() == -signal.SIGKILL
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


async def test_the_end_of_the_pipe_ends_the_groups_that_are_left(run, tmp_path):
    """At the end of its pipe a leash kills the groups that began and did not end, and whatever is marked."""
    grouped, ended, marked = sleeper(), sleeper(), sleeper(run)
    reading, writing = os.pipe()
    os.write(writing, f"+{grouped.pid}\n+{ended.pid}\n-{ended.pid}\n".encode())
    os.close(writing)
    leash.hold(run, tmp_path, reading)
    assert grouped.wait() == marked.wait() == -signal.SIGKILL
    assert ended.poll() is None
    ended.kill()
    ended.wait()


@needs_proc
@pytest.mark.skipif(sys.platform != "linux", reason="macOS does not tell who is dying")
def test_who_is_dying_is_waited_for(run, tmp_path, monkeypatch):
    """When the end has come the ports are closed, also where the kernel had much memory to take back before."""
    script = f"""
import mmap, socket, time
memory = mmap.mmap(-1, {SLOW_TO_FREE_BYTES}, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
memory.madvise(mmap.MADV_NOHUGEPAGE)
memory[::mmap.PAGESIZE] = bytes(len(memory) // mmap.PAGESIZE)
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
time.sleep(60)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script], env={"LAB_RUN": run}, start_new_session=True, stdout=subprocess.PIPE
    )
    port = int(process.stdout.readline())
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # look all the time, so as to look while it is dying
    assert leash.end(run, tmp_path) == []
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED
    assert process.wait() == -signal.SIGKILL


def test_one_that_cannot_be_killed_is_given_up(run, tmp_path, monkeypatch):
    """A survivor that no signal ends is given back after the patience, not waited for without end."""
    monkeypatch.setattr(leash, "_signal", lambda number, which: None)
    process = sleeper(run)
    assert leash.end(run, tmp_path, patience_s=0.1) == [process.pid]
    process.kill()
    process.wait()


@needs_proc
async def test_the_leash_survives_what_ends_a_lab(run, tmp_path):
    """The leash ignores Ctrl-C, SIGTERM and a closed terminal, and ends when its pipe does."""
    process = started([leash.__file__, run, tmp_path], stdin=subprocess.PIPE)
    await until(lambda: ignores_sigterm(process.pid))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        process.send_signal(number)
    assert process.poll() is None
    process.stdin.close()
    assert process.wait() == 0


def ignores_sigterm(pid):
    """Whether the kernel says that a process ignores SIGTERM."""
    if sys.platform != "linux":
        time.sleep(0.5)
        return True
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    ignored = next(line for line in status if line.startswith("SigIgn"))
    return int(ignored.split()[1], 16) >> (signal.SIGTERM - 1) & 1


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
class TestChild:
    """What stands between the lab and a program."""

    def run(self, *words):
        """Run the wrapper."""
        return subprocess.run([sys.executable, child.__file__, *map(str, words)], capture_output=True, text=True)

    def test_it_becomes_the_program(self):
        """The wrapper turns into the program and gives its arguments on."""
        assert self.run(os.getpid(), "echo", "a b", "c").stdout == "a b c\n"

    def test_without_its_lab_nothing_starts(self):
        """When the lab died before the wrapper asked for its signal, the program is not started."""
        said = self.run(2**22 + 1, "echo", "started")
        assert (said.returncode, said.stdout) == (1, "")
        assert "the lab is gone" in said.stderr

    def test_a_program_that_cannot_be_run_is_named(self, tmp_path):
        """A file that is no program ends the wrapper with 127 and the reason."""
        said = self.run(os.getpid(), tmp_path)
        assert said.returncode == 127
        assert f"{tmp_path}: Permission denied" in said.stderr

    async def test_it_dies_with_its_parent(self, tmp_path):
        """A program started so is killed by the kernel when its parent dies, whoever else lives."""
        script = f"""
import os, subprocess, sys, time
process = subprocess.Popen([sys.executable, {child.__file__!r}, str(os.getpid()), "sleep", "60"])
time.sleep(0.5)
print(process.pid, flush=True)
time.sleep(60)
"""
        parent = started(["-c", script], stdout=subprocess.PIPE)
        pid = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
        assert await gone(pid)
