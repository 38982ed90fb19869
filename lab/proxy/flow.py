"""One direction of one connection: what its socket receives goes through a chain of stages to the peer's socket."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, cast

from lab.proxy.chain import Chain
from lab.proxy.stage import Chunk, Close, Stage, Toxic
from lab.proxy.timers import Timers

_RST_ON_CLOSE: Final = struct.pack("ii", 1, 0)


@dataclass
class Counter:
    """Bytes of one direction of one proxy, counted as they move; not on the direct way if nobody is to see them."""

    received_bytes: int = 0
    sent_bytes: int = 0
    shown: bool = True


class _Shut:
    """What a flow feeds until its peer is there: nothing."""

    full = True

    def take(self, chunk: Chunk) -> None:
        """Nobody feeds what is full."""


def _discard(data: bytes | memoryview) -> None:
    """Where bytes go whose receiver is gone."""


class Flow(asyncio.Protocol):
    """The protocol of one socket: it reads there and writes to `peer`, the flow of the other way and the other socket.

    A flow begins shut and holds the little that it receives; `wire` opens it. With no stage at work and nothing to
    count, the peer's own write is what receives the data: no line of Python runs between the two sockets. A slow
    receiver stops the reading, by way of the stages where there are any.
    """

    __slots__ = (
        "_chain", "_direct", "_ended", "_open", "_paused", "_timers", "_write", "counter", "finished", "full", "head",
        "lost", "may_reset", "on_lost", "on_made", "peer", "transport", "wired",
    )  # fmt: skip

    def __init__(
        self, timers: Timers, counter: Counter, on_made: Callable[["Flow"], None], on_lost: Callable[["Flow"], None]
    ) -> None:
        self._timers: Final = timers
        self.counter: Final = counter
        self.on_made: Final = on_made
        self.on_lost: Final = on_lost
        self._direct = False  # the peer's write receives
        self._open = True  # false once the connection is cut: nothing more is read here
        self._paused = False
        self._ended = False  # the sender has finished
        self.wired = False  # it has a peer
        self.lost = False  # the sender's socket is gone, so it cannot receive either
        self.finished = False  # the end has reached the receiver
        self.full = False  # the receiver's socket wants nothing more for now
        self.may_reset = False  # it was opened under a toxic that resets; older connections are closed by FIN
        self.transport: asyncio.Transport
        self.peer: Flow
        self._write: Callable[[bytes | memoryview], None]
        self._chain: Chain
        self.head: Stage | None = Stage(timers, "")
        self.head.before, self.head.after = self, _Shut()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket and tell the owner."""
        self.transport = cast(asyncio.Transport, transport)
        self.on_made(self)

    @property
    def data_received(self) -> Callable[[bytes], None]:
        """What the transport calls with data; uvloop asks for it once, and again at each `set_protocol`."""
        return self.peer.transport.write if self._direct else self.receive

    def receive(self, data: bytes) -> None:
        """Send on at once, or into the chain."""
        size_bytes = len(data)
        counter = self.counter
        counter.received_bytes += size_bytes
        if self.head is None:
            counter.sent_bytes += size_bytes
            self._write(data)
        elif self._open:
            self.head.take((self._timers.now(), data))
            if (self.head or self).full:
                self._pause()

    def eof_received(self) -> bool:
        """Half-close: the other way stays open."""
        self._end()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the owner that the socket is gone."""
        self.lost = True
        self.on_lost(self)

    def pause_writing(self) -> None:
        """The socket is slow to take what the peer writes."""
        self.peer.full = True
        if self.peer.head is None:
            self.peer._pause()

    def resume_writing(self) -> None:
        """The socket has room again."""
        self.peer.full = False
        (self.peer._chain.last or self.peer).pump()

    def wire(self, peer: "Flow", toxics: Sequence[Toxic], seed: str) -> None:
        """Open towards `peer` through these toxics; what was received before goes first.

        `seed` names this direction of this connection: all its dice follow from it.
        """
        early = self.head
        self.peer, self._write, self.wired = peer, peer.transport.write, True
        self._chain = Chain(self, self._timers, seed, toxics)
        if early is not None:
            early.after = self._chain.head or self
            early.release()
        self._chain.settle()
        self._adjust()

    def finish(self) -> None:
        """The sender's socket is gone: let what it sent reach the receiver, and close that behind it."""
        if self.finished:
            self.peer.transport.close()
        else:
            self._end()

    def sever(self) -> None:
        """The receiver's socket is gone: drop everything held and whatever still comes."""
        self._open = False
        self.finished = True
        self._write = _discard
        self._pause()
        self._chain.drop()

    def forget(self) -> None:
        """Both sockets are gone: let go of everything, so that no cycle waits for the garbage collector."""
        del self.peer, self._chain, self.transport
        self.head = None

    def pump(self) -> None:
        """Read the sender again if there is room."""
        if self._paused and self._open and not self._ended and not (self.head or self).full:
            self._paused = False
            self.transport.resume_reading()

    def take(self, chunk: Chunk) -> None:
        """What leaves the chain: write it to the receiver, or tell the receiver that this is the end."""
        if self.finished:
            return
        if not isinstance(chunk, Close):
            self.counter.sent_bytes += len(chunk[1])
            self._write(chunk[1])
            return
        self.finished = True
        self._write = _discard
        receiver = self.peer.transport
        cut = chunk is not Close.END
        if cut:
            self._open = False
            self._pause()
        if chunk is Close.RESET and self.may_reset:
            for transport in (self.transport, receiver):
                with contextlib.suppress(OSError, AttributeError, ValueError):  # its socket is gone; uvloop says -1
                    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST_ON_CLOSE)
        if cut or self.lost or self.peer.finished:
            receiver.close()
        elif not receiver.is_closing():
            receiver.write_eof()
        if self.peer.finished:
            self.transport.close()

    def add(self, toxic: Toxic) -> None:
        """A toxic has come."""
        self._chain.add(toxic)
        self._adjust()

    def update(self, position: int, toxic: Toxic) -> None:
        """A toxic has new settings."""
        self._chain.update(position, toxic)
        self._adjust()

    def remove(self, position: int) -> None:
        """A toxic has gone."""
        if self._chain.remove(position):
            self._open = False
        self._adjust()

    def _adjust(self) -> None:
        self.head = self._chain.head
        direct = self.head is None and self._open and not self.counter.shown
        if direct is not self._direct and not self.lost:
            self._direct = direct
            self.transport.set_protocol(self)
        if (self.head or self).full:
            self._pause()
        else:
            self.pump()

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            (self.head or self).take(Close.END)

    def _pause(self) -> None:
        if not self._paused:
            self._paused = True
            self.transport.pause_reading()
