"""Shared memory that a killed PostgreSQL leaves, of both kinds, with none of its servers."""

import ctypes
import os
import random
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from run_ids import fresh

from lab.runtime import leash

pytestmark = pytest.mark.e2e

IPC_CREAT, IPC_EXCL, IPC_RMID = 0o1000, 0o2000, 0
LIBC = ctypes.CDLL(None, use_errno=True)
POSTGRES = """
import mmap, os, sys, time
with open(sys.argv[1], "w+b") as file:
    file.truncate(mmap.PAGESIZE)
    held = mmap.mmap(file.fileno(), mmap.PAGESIZE)
print("up", flush=True)
time.sleep(60)
"""


def named(folder, name, segment, run, **more):
    """A process of that name which has a segment, and bears the run's mark."""
    program = folder / name
    program.symlink_to(sys.executable)
    environment = {"LAB_RUN": run, "PYTHONHOME": sys.base_prefix}
    process = subprocess.Popen([program, "-c", POSTGRES, segment], env=environment, stdout=subprocess.PIPE, **more)
    assert process.stdout.readline() == b"up\n"
    return process


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="/dev/shm is Linux's")
def test_segments_of_a_killed_postgres_are_removed(tmp_path):
    """What a PostgreSQL of the run has in /dev/shm goes with it; a file of any other program stays."""
    run = fresh("memory")
    own, other = (Path(f"/dev/shm/PostgreSQL.{uuid.uuid4().int % 10**9}") for _ in range(2))
    children = [named(tmp_path, "postgres", own, run), named(tmp_path, "other", other, run)]
    try:
        assert leash.end(run, tmp_path) == []
        assert (own.exists(), other.exists()) == (False, True)
    finally:
        other.unlink()
        for child in children:
            child.wait()


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="/dev/shm is Linux's")
def test_segments_of_a_killed_group_are_removed(tmp_path):
    """Those of an initdb that is given up: nobody looks for its processes any more once its group was killed."""
    segment = Path(f"/dev/shm/PostgreSQL.{uuid.uuid4().int % 10**9}")
    child = named(tmp_path, "postgres", segment, fresh("memory"), start_new_session=True)
    leash.kill_group(child.pid)
    assert child.wait() == -signal.SIGKILL
    assert not segment.exists()


def interlock():
    """A System V segment as PostgreSQL makes one: its key and number."""
    while True:
        key = random.SystemRandom().randrange(1, 2**31)
        number = LIBC.shmget(key, 56, IPC_CREAT | IPC_EXCL | 0o600)
        if number >= 0:
            return key, number


def test_the_interlock_of_a_killed_postgres_is_removed(tmp_path):
    """The segment that `postmaster.pid` names goes; one that has another key by now is another's and stays."""
    own, other = interlock(), interlock()
    for name, key, number in (("own", *own), ("other", own[0], other[1])):
        folder = tmp_path / "scratch" / name
        folder.mkdir(parents=True)
        (folder / "postmaster.pid").write_text(
            f"{os.getpid()}\n/data\n1\n5432\n\n127.0.0.1\n{key:>9} {number:>9}\nready\n"
        )
    (tmp_path / "postmaster.pid").write_text("torn")
    try:
        assert leash.end(fresh("memory"), tmp_path) == []
        assert LIBC.shmget(own[0], 0, 0) == -1
        assert LIBC.shmget(other[0], 0, 0) == other[1]
    finally:
        LIBC.shmctl(other[1], IPC_RMID, None)
