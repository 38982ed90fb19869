"""Who has used the cores, what a process holds in memory, and what this machine does to every packet of its own."""

import os
import socket
from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path

import psutil

_TRACKED = Path("/proc/sys/net/netfilter/nf_conntrack_count")
_CONNECTIONS = 50


def cpu_s(pid: int) -> float:
    """CPU seconds, user and system, that a process has used."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def own_cpu_s(pids: Collection[int]) -> float:
    """CPU seconds of these processes, of this one, and of its children that have ended."""
    spent = os.times()
    return sum(map(cpu_s, pids)) + spent.user + spent.system + spent.children_user + spent.children_system


def machine_cpu_s() -> float:
    """CPU seconds in which any core was not idle, since the machine started."""
    times = psutil.cpu_times()._asdict()
    return sum(times.get(kind, 0.0) for kind in ("user", "nice", "system", "irq", "softirq", "steal"))


def resident_kb(pid: int) -> float:
    """Resident memory of a process."""
    return float(psutil.Process(pid).memory_info().rss) / 1024


def firewall_follows_loopback() -> bool:
    """Whether netfilter tracks connections from 127.0.0.1 to itself, as it does where Docker has left its rules.

    Each packet costs more then, whichever proxy it goes through, and a ratio of rates comes nearer to 1.
    """
    try:
        before = int(_TRACKED.read_text())
        with ExitStack() as stack, socket.create_server(("127.0.0.1", 0), backlog=_CONNECTIONS) as server:
            for _ in range(_CONNECTIONS):
                stack.enter_context(socket.create_connection(server.getsockname()))
            return int(_TRACKED.read_text()) - before > _CONNECTIONS // 2
    except OSError:
        return False
