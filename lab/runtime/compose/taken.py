"""Who listens on a port that a service wants to publish: said before Docker says less."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import psutil

from lab.runtime.ports import is_free

SHOWN = 3


def taken_ports(base: Mapping[str, Any], services: Sequence[str]) -> str:
    """A sentence for each port that somebody else has, with its owner; empty where all are free."""
    found = []
    for name in services:
        ports = [int(port["published"]) for port in base["services"][name].get("ports", [])]
        found += [f"port {port} of {name} is taken by {owner(port)}" for port in ports if not is_free(port)]
    more = [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
    if not found:
        return ""
    return "; ".join([*found[:SHOWN], *more]) + ": end it, or give another in .env (TOXIPROXY_PORT, LINK_PORTS, ...)"


def owner(port: int) -> str:
    """The process that listens on a port of this machine, in words."""
    for taken, pid in _listening():
        if taken != port or pid is None:
            continue
        with suppress(psutil.Error):
            process = psutil.Process(pid)
            return f"{process.name()} (process {pid}: {' '.join(process.cmdline())[:80]})"
    return "a process that only root can see (`sudo ss -ltnp` names it)"


def _listening() -> Iterator[tuple[int, int | None]]:
    """Port and process of everything that listens; those of others as far as the system tells."""
    try:
        found = [(each, each.pid) for each in psutil.net_connections("tcp")]
    except psutil.Error:  # macOS lets nobody but root ask for all at once
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                found += [(each, process.pid) for each in process.net_connections("tcp")]
    yield from ((each.laddr.port, pid) for each, pid in found if each.status == psutil.CONN_LISTEN)
