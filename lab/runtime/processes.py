"""Facts about processes that Linux and macOS both know: parents, groups, states, and a start that tells ids apart."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

PROC = Path("/proc")
LISTEN = psutil.CONN_LISTEN
MACHINE_IDS = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))
NEUTRAL = {"LC_ALL": "C", "TZ": "UTC"}  # in which ps writes a start the same whoever asks


@dataclass(frozen=True)
class Process:
    """One process. `state` is the first letter ps shows (T: paused, Z: dead, not yet collected).

    `started` differs between two processes that had the same id, also across a restart of the machine.
    """

    pid: int
    parent: int
    group: int
    state: str
    started: str


def look(pid: int) -> Process | None:
    """The process of that id; None where there is none or it is dead and not yet collected."""
    process = _from_proc(pid) if _has_proc() else next(iter(_from_ps("-p", str(pid))), None)
    return process if process and process.state != "Z" else None


def everything() -> list[Process]:
    """All processes that are alive."""
    if _has_proc():
        found = [_from_proc(int(entry.name)) for entry in PROC.iterdir() if entry.name.isdigit()]
        return [process for process in found if process and process.state != "Z"]
    return [process for process in _from_ps("-ax") if process.state != "Z"]


def here() -> Mapping[str, str]:
    """Which processes this one sees: those of a machine, and there of a namespace of process ids.

    A container that shares a folder with its host sees none of the host's processes, and sees its own under other ids.
    """
    ids = (file.read_text().strip() for file in MACHINE_IDS if file.exists())
    return {"machine": f"{socket.gethostname()} {next(ids, '')}".strip(), "namespace": _namespace()}


def before_this_start(started: str) -> bool:
    """Whether a process with that `started` ran before this machine was started last; False where nobody can tell."""
    return _has_proc() and ":" in started and started.partition(":")[0] != _boot()


@cache
def _namespace() -> str:
    try:
        return str((PROC / "self/ns/pid").readlink()).removeprefix("pid:[").removesuffix("]")
    except OSError:
        return ""


def family(pid: int) -> list[int]:
    """A process that leads its group, all it descends to, and the rest of the group; the leader first."""
    processes = everything()
    kin = {pid}
    while more := {p.pid for p in processes if p.pid not in kin and (p.parent in kin or p.group == pid)}:
        kin |= more
    alive = sorted(p.pid for p in processes if p.pid in kin)
    return sorted(alive, key=lambda member: member != pid)


def listens(pid: int, port: int) -> bool:
    """Whether a process that leads its group, or one of its family, listens at a TCP port of this machine.

    True also where the system does not let us look.
    """
    for member in family(pid):
        try:
            if any(c.laddr.port == port for c in psutil.Process(member).net_connections("tcp") if c.status == LISTEN):
                return True
        except psutil.NoSuchProcess:
            continue
        except psutil.AccessDenied:
            return True
    return False


@cache
def _has_proc() -> bool:
    return (PROC / "self" / "stat").exists()


@cache
def _boot() -> str:
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def _from_proc(pid: int) -> Process | None:
    try:
        text = (PROC / str(pid) / "stat").read_text(errors="replace")  # a name is cut at 15 bytes, within a character
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may hold anything, spaces and brackets too
    return Process(pid, int(fields[1]), int(fields[2]), fields[0], f"{_boot()}:{fields[19]}")


def _from_ps(*which: str) -> list[Process]:
    """What `ps` says where there is no /proc; `started` is then exact to the second."""
    command = ["ps", *which, "-o", "pid=,ppid=,pgid=,stat=,lstart="]
    env = {**os.environ, **NEUTRAL}
    listing = subprocess.run(command, capture_output=True, text=True, env=env, check=False).stdout
    rows = [line.split(maxsplit=4) for line in listing.splitlines()]
    return [Process(int(r[0]), int(r[1]), int(r[2]), r[3][0], r[4].strip()) for r in rows if len(r) == 5]
