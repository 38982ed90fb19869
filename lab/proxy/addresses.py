"""Addresses as Go writes them: `host:port`, `[::1]:port`, `:port` or nothing, and listening sockets on them."""

import asyncio
import os
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

RESOLVE_S = 5.0  # the usual resolver asks again after as long
Info = tuple[Any, Any, int, str, tuple[Any, ...]]


class AddressError(Exception):
    """An address that cannot be parsed, resolved or bound, in the words of Go's net package."""


@dataclass(frozen=True)
class Address:
    """One resolved place to listen on."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def split(address: str) -> tuple[str, int]:
    """Host and port of an address; an empty one is any host and port 0.

    Raises AddressError: `address 127.0.0.1: missing port in address`.
    """
    if not address:
        return "", 0
    host, colon, port = address.rpartition(":")
    if not colon or (address.startswith("[") and address.endswith("]")):
        raise AddressError(f"address {address}: missing port in address")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise AddressError(f"address {address}: too many colons in address")
    if not port:
        return host, 0
    try:
        number = int(port) if port.isascii() and port.isdigit() else socket.getservbyname(port, "tcp")
    except (OSError, ValueError):
        raise AddressError(f"lookup tcp/{port}: unknown port") from None
    if number > 65535:
        raise AddressError(f"address {number}: invalid port")
    return host, number


@dataclass(frozen=True)
class Found:
    """What a look-up of an address gave: its place, or an error that is raised where the place is wanted."""

    address: str
    at: Address | None
    error: str = ""

    @property
    def place(self) -> Address:
        """Raises AddressError."""
        if self.at is None:
            raise AddressError(self.error)
        return self.at


async def look(address: str) -> Found:
    """Look an address up; never raises. Within RESOLVE_S, which no change of another proxy waits for."""
    try:
        return Found(address, await resolve(address))
    except AddressError as error:
        return Found(address, None, str(error))


async def resolve(address: str) -> Address:
    """Where this address is, IPv4 before IPv6; the host of an address without one is empty.

    Raises AddressError, also where the name is unknown, or no resolver answers within RESOLVE_S.
    """
    host, port = split(address)
    if not host:
        return Address("", port)
    try:
        found = await _looked_up(host, port)
    except TimeoutError:
        raise AddressError(f"lookup {host}: i/o timeout") from None
    except (OSError, ValueError):
        raise AddressError(f"lookup {host}: no such host") from None
    first = min(found, key=lambda info: info[0] != socket.AF_INET)
    return Address(str(first[4][0]), port)


async def _looked_up(host: str, port: int) -> Sequence[Info]:
    """What the system's resolver says, asked in a thread of its own: one that hangs keeps no other waiting, nor the end
    of the process.

    Raises OSError, ValueError, and TimeoutError after RESOLVE_S.
    """
    with suppress(OSError):  # a number needs no resolver
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    loop = asyncio.get_running_loop()
    said: asyncio.Future[Sequence[Info]] = loop.create_future()

    def settle(done: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop has closed
            loop.call_soon_threadsafe(lambda: None if said.done() else done())

    def look_up() -> None:
        try:
            settle(partial(said.set_result, socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
        except (OSError, ValueError) as error:
            settle(partial(said.set_exception, error))

    threading.Thread(target=look_up, daemon=True, name=f"look up {host}").start()
    async with asyncio.timeout(RESOLVE_S):
        return await said


async def listen(address: str) -> tuple[socket.socket, str]:
    """As `bind`, after a look-up."""
    return bind(await look(address))


def bind(found: Found) -> tuple[socket.socket, str]:
    """A listening socket and the address it really has; without a host it takes IPv4 and IPv6 alike.

    So it does with either family's unspecified address, as Go's net.Listen("tcp", ...): `0.0.0.0:0` is `[::]:port`.
    Raises AddressError: `listen tcp 127.0.0.1:80: bind: address already in use`.
    """
    try:
        place = found.place
    except AddressError as error:
        raise AddressError(f"listen tcp: {error}") from None
    both = place.host in ("", "::", "0.0.0.0") and socket.has_dualstack_ipv6()
    host = "::" if both else place.host
    family = socket.AF_INET6 if both or ":" in place.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not both)
        sock.bind((host, place.port))
        sock.listen(socket.SOMAXCONN)
        sock.setblocking(False)
        host, port = sock.getsockname()[:2]
    except OSError as error:
        sock.close()
        raise AddressError(f"listen tcp {place}: bind: {os.strerror(error.errno or 0).lower()}") from None
    return sock, str(Address(host, port))
