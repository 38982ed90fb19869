"""What one enabled proxy does: listen, dial the upstream for each client, keep every connection's toxics in step."""

import asyncio
import contextlib
import ipaddress
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from lab.proxy.addresses import AddressError, split
from lab.proxy.flow import Counter, Flow
from lab.proxy.stage import Close, Toxic
from lab.proxy.timers import Timers
from lab.proxy.toxics import behaviours

log = logging.getLogger("lab.proxy")

STREAMS: Final = ("upstream", "downstream")  # the order in which the API lists toxics
CONNECT_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True)
class Wiring:
    """What every relay of a server shares; `counter(stream, proxy, listener, upstream)` is where bytes are counted."""

    timers: Timers
    counter: Callable[[str, str, str, str], Counter]
    seed: int
    connect_timeout_s: float = CONNECT_TIMEOUT_S


def _control_simply(sock: socket.socket) -> None:
    """Take the simplest congestion control there is, if the peer is on the loopback.

    Nothing there can be congested, but a control that models the network, such as bbr, costs CPU with every packet.
    """
    peer = ipaddress.ip_address(sock.getpeername()[0])
    if (getattr(peer, "ipv4_mapped", None) or peer).is_loopback:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")


def _nothing(flow: Flow) -> None:
    """An upstream that is connected waits to be wired."""


class Relay:
    """The connections of one proxy and the toxics upon them.

    Each client is dialled for on its own, so an upstream that never answers holds up nobody else. Connections are
    numbered from 1 in the order of acceptance; the number and the seed decide all their dice.
    """

    def __init__(self, wiring: Wiring, name: str) -> None:
        self._wiring: Final = wiring
        self._name: Final = name
        self.toxics: Final[dict[str, list[Toxic]]] = {stream: [] for stream in STREAMS}
        self._flows: Final[dict[Flow, Flow]] = {}  # what a client sends -> what its upstream answers
        self._dials: Final[dict[Flow, asyncio.Task[None]]] = {}
        self._server: asyncio.Server | None = None
        self._upstream = ""
        self._counters: dict[str, Counter] = {}
        self._accepted = 0

    async def start(self, listener: socket.socket, listen: str, upstream: str) -> None:
        """Accept on this listening socket and send everything to `upstream` (host:port)."""
        self._upstream = upstream
        self._counters = {stream: self._wiring.counter(stream, self._name, listen, upstream) for stream in STREAMS}
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, sock=listener, backlog=socket.SOMAXCONN)

    def stop(self) -> None:
        """Refuse new connections and close all there are, at once."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for client, dial in list(self._dials.items()):
            dial.cancel()
            client.transport.abort()
        self._dials.clear()
        for client, upstream in list(self._flows.items()):
            client.transport.abort()
            upstream.transport.abort()

    def add(self, toxic: Toxic) -> None:
        """Put a toxic at the end of its stream's chain, on every connection there is."""
        self.toxics[toxic.direction].append(toxic)
        for flow in self._streams(toxic.direction):
            flow.add(toxic)

    def update(self, toxic: Toxic) -> None:
        """Put the new settings in the place of the toxic with that name."""
        position = self._position(toxic)
        self.toxics[toxic.direction][position] = toxic
        for flow in self._streams(toxic.direction):
            flow.update(position, toxic)

    def remove(self, toxic: Toxic) -> None:
        """Take a toxic out of every connection."""
        position = self._position(toxic)
        del self.toxics[toxic.direction][position]
        for flow in self._streams(toxic.direction):
            flow.remove(position)

    def __len__(self) -> int:
        return len(self._flows) + len(self._dials)

    def _streams(self, stream: str) -> list[Flow]:
        return list(self._flows if stream == "upstream" else self._flows.values())

    def _position(self, toxic: Toxic) -> int:
        return [other.name for other in self.toxics[toxic.direction]].index(toxic.name)

    def _accept(self) -> Flow:
        return Flow(self._wiring.timers, self._counters["upstream"], self._accepted_client, self._lost)

    def _accepted_client(self, client: Flow) -> None:
        if self._server is None:
            client.transport.abort()
            return
        self._accepted += 1
        self._dials[client] = asyncio.get_running_loop().create_task(self._dial(client, self._accepted))

    async def _dial(self, client: Flow, number: int) -> None:
        loop = asyncio.get_running_loop()
        upstream = Flow(self._wiring.timers, self._counters["downstream"], _nothing, self._lost)
        try:
            async with asyncio.timeout(self._wiring.connect_timeout_s):
                host, port = split(self._upstream)
                await loop.create_connection(lambda: upstream, host or "localhost", port)
            self._wire(client, upstream, number)
        except (OSError, ValueError, AddressError) as error:
            log.warning("%s: no connection to upstream %s: %s", self._name, self._upstream, error or "no answer")
            client.transport.close()
        finally:
            self._dials.pop(client, None)

    def _wire(self, client: Flow, upstream: Flow, number: int) -> None:
        if upstream.lost:
            client.transport.close()
            return
        toxics = (toxic for toxics in self.toxics.values() for toxic in toxics)
        may_reset = any(behaviours()[toxic.type].cut_is is Close.RESET for toxic in toxics)
        for flow in (client, upstream):
            sock: socket.socket = flow.transport.get_extra_info("socket")
            with contextlib.suppress(OSError, AttributeError):  # gone already, or a system that has no choice
                _control_simply(sock)
            flow.may_reset = may_reset
        self._flows[client] = upstream
        seed = f"{self._wiring.seed}/{self._name}/{number}"
        upstream.peer = client
        client.wire(upstream, self.toxics["upstream"], f"{seed}/upstream")
        upstream.wire(client, self.toxics["downstream"], f"{seed}/downstream")

    def _lost(self, flow: Flow) -> None:
        if flow in self._dials:
            self._dials.pop(flow).cancel()
            return
        if not flow.wired:
            return
        peer = flow.peer
        peer.sever()
        flow.finish()
        if peer.lost:
            self._flows.pop(flow, None)
            self._flows.pop(peer, None)
            flow.forget()
            peer.forget()
