import os
import signal
import subprocess
import sys

import pytest
from waits import until

from lab.runtime import leash, processes

pytestmark = pytest.mark.e2e

FAMILY = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
time.sleep(60)
"""


@pytest.fixture(params=["/proc", "ps"])
def source(request, monkeypatch):
    """Where facts come from: /proc, and ps where there is none."""
    if request.param == "ps":
        monkeypatch.setattr(processes, "_has_proc", lambda: False)
    elif not processes._has_proc():
        pytest.skip("no /proc on this system")
    return request.param


@pytest.fixture
def sleeper():
    """A process that leads a group and has a child in it and one that has left."""
    process = subprocess.Popen([sys.executable, "-c", FAMILY], start_new_session=True)
    yield process
    for pid in processes.family(process.pid):
        os.kill(pid, signal.SIGKILL)
    process.wait()


def test_we_are_alive(source):
    """A process knows itself: its id, its parent, its group."""
    me = processes.look(os.getpid())
    assert (me.pid, me.parent, me.group) == (os.getpid(), os.getppid(), os.getpgrp())
    assert me in processes.everything() or source == "ps"


async def test_a_start_tells_two_processes_apart_and_stays(source, sleeper):
    """The start of a process is the same at each look, and another process has another."""
    first = processes.look(sleeper.pid).started
    assert processes.look(sleeper.pid).started == first
    if source == "/proc":
        assert processes.look(os.getpid()).started != first


async def test_the_dead_are_not_seen(source, sleeper):
    """Neither a process that never was nor one that is dead and not yet collected is there."""
    sleeper.kill()
    await until(lambda: processes.look(sleeper.pid) is None)
    assert sleeper.pid not in [each.pid for each in processes.everything()]
    assert processes.look(2**22 + 1) is None


async def test_a_family_is_found_even_in_other_sessions(source, sleeper):
    """The family of a process is itself first, its group and its descendants, those that left the group too."""
    await until(lambda: len(processes.family(sleeper.pid)) == 3)
    assert processes.family(sleeper.pid)[0] == sleeper.pid


async def test_a_paused_process_shows(source, sleeper):
    """A paused process has state T, a running one has not."""
    assert processes.look(sleeper.pid).state != "T"
    os.kill(sleeper.pid, signal.SIGSTOP)
    await until(lambda: processes.look(sleeper.pid).state == "T")


async def test_an_orphaned_group_is_still_found(source, sleeper):
    """What is left of a group whose leader is gone still counts as its family."""
    await until(lambda: len(processes.family(sleeper.pid)) == 3)
    sleeper.kill()
    sleeper.wait()
    assert len(processes.family(sleeper.pid)) == 1


def test_a_start_is_the_same_in_every_time_zone_and_language(monkeypatch):
    """Another lab, in another shell, must not take a live run for another process with its id."""
    monkeypatch.setattr(processes, "_has_proc", lambda: False)
    started = set()
    for zone, language in (("UTC", "C"), ("Asia/Tokyo", "C"), ("America/New_York", "de_DE.UTF-8")):
        monkeypatch.setenv("TZ", zone)
        monkeypatch.setenv("LC_ALL", language)
        process = processes.look(os.getpid())
        assert process
        started.add(process.started)
    assert len(started) == 1


NAMED = """
import ctypes, time
ctypes.CDLL(None).prctl(15, b"\\xff\\xfename", 0, 0, 0)
print("up", flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(not processes._has_proc(), reason="no /proc on this system")
def test_a_name_that_is_no_utf_8_keeps_nobody_from_looking(tmp_path):
    """The kernel cuts a name at 15 bytes; one such process, of whatever user, ended every start and every stop."""
    command = [sys.executable, "-I", "-S", "-c", NAMED]
    odd = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert odd.stdout.readline() == b"up\n"
        assert odd.pid in {each.pid for each in processes.everything()}
        assert leash._members(odd.pid) == [odd.pid]
        assert leash.survivors("no run", tmp_path) == []
    finally:
        leash.kill_group(odd.pid)
        assert odd.wait() == -signal.SIGKILL
        odd.stdout.close()
