"""Free ports that stay free: taken from below those the kernel lends to outgoing connections."""

from __future__ import annotations

import socket
from pathlib import Path
from random import SystemRandom

from lab.errors import StartError

LOWEST = 20_000
_given: set[int] = set()
_random = SystemRandom()  # a scenario that seeds `random` draws no other ports by that, nor every lab the same


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody listens on and that this process has not given out before.

    Asking the kernel (port 0) gives a port from the range of outgoing connections. While a service that stood
    there is down, a client that keeps trying may be lent that very port and then talks to itself, and the service
    cannot start again. So the lab draws from the ports below that range.
    """
    for _ in range(1_000):
        port = _random.randrange(LOWEST, _highest())
        if port not in _given and is_free(port):
            _given.add(port)
            return port
    raise StartError(f"no free port on 127.0.0.1 between {LOWEST} and {_highest()}; `lab heal` ends what a crash left")


def is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1 at this port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: old connections do not count
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _highest() -> int:
    """One above the last port that is not lent out: Linux says where that begins, macOS begins at 49152."""
    try:
        begins = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        begins = 32_768
    return min(begins, 32_768) if begins > LOWEST + 1_000 else 32_768
