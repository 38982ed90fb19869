"""
Ends what is left of a run, however the lab died; run as a program it is the run's leash.

The leash is one small process beside each run, in a session of its own. It holds the reading end of a pipe whose
writing end only the lab has: when the lab ends, even by `kill -9`, the pipe ends too, and the leash kills what the
lab could not. It imports nothing but the standard library, so that it is up in milliseconds and small.

    lab --pipe--> leash        lines `+<group>` (began), `-<group>` (ended), `=<folder>` (is the run's too);
                               end of file: kill what is left
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

MARKER = "LAB_RUN"
PATIENCE_S = 3.0
MNT_DETACH = 2  # of umount2(2)
SHARED_MEMORY = Path("/dev/shm")
_SEGMENT = f"{SHARED_MEMORY}/PostgreSQL."
PF_EXITING = 0x4  # of the flags in /proc/<pid>/stat
PS = ["ps", "-axEwwo", "pid=,command="]  # macOS: the environment stands behind the command, of own processes only


def survivors(run: str, *folders: Path) -> list[int]:
    """Process ids that belong to a run, this process left out.

    A process belongs to it when it was started with `LAB_RUN=<run>` in its environment. Some servers overwrite
    that memory with their title and leave their process group (PostgreSQL does both); on Linux those are known by
    working in a folder of the run without a terminal, which no person's shell does.
    """
    found = _from_proc(run, folders) if Path("/proc/self/environ").exists() else _from_ps(run)
    return [pid for pid in found if pid != os.getpid()]


def end(
    run: str, folder: Path, groups: Iterable[int] = (), patience_s: float = PATIENCE_S, more: Iterable[Path] = ()
) -> list[int]:
    """
    Kill process groups and every survivor of a run until none is left; gives the ids of those still there.

    `more` are folders of the run beside its own. Whoever was seen to belong to the run is waited for until its ports
    are closed too. Shared memory that outlives its process is removed with it.
    """
    folders = [folder, *more]
    seen = set(survivors(run, *folders))  # before anything is killed: who is dying shows no environment any more
    segments = {segment for pid in seen for segment in _segments(pid)}
    for group in groups:
        kill_group(group)
    deadline = time.monotonic() + patience_s
    while True:
        alive = survivors(run, *folders)
        for pid in alive:
            segments.update(_segments(pid))
            _signal(pid, signal.SIGKILL)
        seen.update(alive)
        left = sorted({*alive, *(pid for pid in seen if _dying(pid))})
        if not left or time.monotonic() > deadline:
            break
        time.sleep(0.02)
    for segment in segments:
        segment.unlink(missing_ok=True)
    for mount in mounts_below(folders):  # those of whose process nothing is left answer with errors
        unmount(mount)
    for each in folders:
        _forget_interlocks(each)
    return left


def mounts_below(folders: Iterable[Path]) -> list[Path]:
    """Where something is mounted by FUSE in these folders, the deepest first (Linux; elsewhere nothing is)."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(errors="replace").splitlines()
    except OSError:
        return []
    homes = [folder.resolve() for folder in folders]  # as the kernel names them: a link may lead to one
    found = []
    for line in lines:
        place, kind = line.split()[4], line.partition(" - ")[2].split()[0]
        path = Path(re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), place))
        if kind.startswith("fuse") and any(path.is_relative_to(home) for home in homes):
            found.append(path)
    return sorted(found, reverse=True)


def unmount(place: Path) -> None:
    """Take a FUSE mount away at once, whatever still uses it; one that is gone is no error."""
    if os.geteuid() == 0:
        ctypes.CDLL(None).umount2(os.fsencode(place), MNT_DETACH)
        return
    with contextlib.suppress(OSError):
        subprocess.run(["fusermount3", "-uzq", place], capture_output=True, check=False)


def kill_group(group: int) -> None:
    """SIGKILL a process group, and remove the shared memory that it would leave; one that is gone is no error.

    Only where a PostgreSQL has a segment is the group stopped first, so that it makes none after they were counted: a
    kill that an experiment asks for is to be nothing but that.
    """
    if group <= 1:  # kill(2): 0 is our own group, -1 is everybody
        return
    segments: set[Path] = set()
    with contextlib.suppress(OSError):  # whatever cannot be read, the group is killed
        if any(SHARED_MEMORY.glob("PostgreSQL.*")):
            _signal(-group, signal.SIGSTOP)
            segments.update(segment for pid in _members(group) for segment in _segments(pid))
    _signal(-group, signal.SIGKILL)
    for segment in segments:
        segment.unlink(missing_ok=True)


def hold(run: str, folder: Path, descriptor: int) -> None:
    """Wait for the end of the pipe, then end the run."""
    groups: set[int] = set()
    more: list[Path] = []
    with os.fdopen(descriptor) as pipe:
        for line in pipe:
            if line[0] == "=":
                more.append(Path(line[1:].rstrip("\n")))
                continue
            group = int(line[1:])
            (groups.add if line[0] == "+" else groups.discard)(group)
    end(run, folder, groups, more=more)


def _from_proc(run: str, folders: Iterable[Path]) -> list[int]:
    wanted, homes = f"{MARKER}={run}".encode(), [str(folder.resolve()) for folder in folders]
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if wanted in (entry / "environ").read_bytes().split(b"\0") or _works_in(entry, homes):
                found.append(int(entry.name))
        except OSError:  # gone meanwhile, or another user's
            continue
    return found


def _works_in(entry: Path, homes: Iterable[str]) -> bool:
    place = str((entry / "cwd").readlink()).removesuffix(" (deleted)")
    if not any(place == home or place.startswith(home + "/") for home in homes):
        return False
    terminal = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[4]
    return terminal == "0"


def _dying(pid: int) -> bool:
    """
    Whether a process has begun to exit and may still have files and ports open (Linux; elsewhere nobody tells).

    The kernel takes its memory first, and with it the environment. It is through when its parent may collect it, which
    a first thread that is dead before the others does not mean.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return False
    fields = stat.rpartition(")")[2].split()
    state, flags, threads = fields[0], int(fields[6]), int(fields[17])
    return bool(flags & PF_EXITING) and (state != "Z" or threads > 1)


def _segments(pid: int) -> list[Path]:
    """
    The files in /dev/shm that a PostgreSQL has; one that is killed leaves them there (Linux).

    A server's own are in its folder, see lab.runtime.backing.postgres; initdb cannot be told so.
    """
    proc = Path(f"/proc/{pid}")
    try:
        if (proc / "comm").read_text(errors="replace").strip() != "postgres":
            return []
        words = [line.split(maxsplit=5) for line in (proc / "maps").read_text(errors="replace").splitlines()]
    except OSError:  # gone meanwhile
        return []
    return [Path(w[5]) for w in words if len(w) > 5 and w[5].startswith(_SEGMENT) and " " not in w[5]]


def _forget_interlocks(folder: Path) -> None:
    """
    Remove the System V segments by which a PostgreSQL keeps a second one off its data: a kill leaves 56 bytes each.

    macOS has room for 32. Its number is in `postmaster.pid`, which a server that ends by itself removes.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    for file in folder.rglob("postmaster.pid"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            key, number = map(int, file.read_text().splitlines()[6].split())
            if libc.shmget(ctypes.c_int(key), 0, 0) == number:
                libc.shmctl(number, 0, None)  # IPC_RMID


def _from_ps(run: str) -> list[int]:
    """Where there is no /proc."""
    env = {**os.environ, "LC_ALL": "C"}
    listing = subprocess.run(PS, env=env, capture_output=True, text=True, errors="replace", check=False)
    rows = (line.split() for line in listing.stdout.splitlines())
    return [int(words[0]) for words in rows if f"{MARKER}={run}" in words[1:]]


def _members(group: int) -> list[int]:
    """Processes of a group (Linux, where the segments are)."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # gone meanwhile
            if int((entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[2]) == group:
                found.append(int(entry.name))
    return found


def _signal(number: int, which: signal.Signals) -> None:
    """Signal a process, or with a negative number a process group; one that is gone is no error."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(number, which)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it must outlive whatever ends the lab
    hold(sys.argv[1], Path(sys.argv[2]), sys.stdin.fileno())
