"""One probe: a fresh connection, the cheapest question that makes the other side speak, and how that ended."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from lab.model import Member, ProbeShape, Service
from lab.record import ProbeOutcome
from lab.runtime.base import Address

HEADER_BYTES = 4_000  # one header of padding: half of what aiohttp and nginx take at most
ANSWER_BYTES = 100  # what the whole answer of a service has at least, its headers with it


def _anything(heard: bytes) -> bool:
    return True


async def ping(address: Address, kind: str, shape: ProbeShape, password: str = "") -> tuple[ProbeOutcome, float | None]:
    """One probe: how it ended, and the milliseconds from the first packet to the answer (or to the close after it).

    The `password` goes before the question to servers that want it so.
    `reset` is a reset connection, `error` one that was closed in the orderly way before it had answered.
    """
    loop = asyncio.get_running_loop()
    start = loop.time()
    speech = _SPEAK.get(kind, _CONNECT)
    talk = _Talk(speech.after_login(password) if password else speech, shape, loop.create_future())
    try:
        async with asyncio.timeout(shape.timeout_s):
            await loop.create_connection(lambda: talk, address.host, address.port)
            await talk.done
        return "answered", (loop.time() - start) * 1000
    except TimeoutError:
        return "timeout", None
    except ConnectionRefusedError:
        return "refused", None
    except ConnectionResetError:
        return "reset", None
    except OSError:
        return "error", None
    finally:
        talk.leave()


@dataclass(frozen=True)
class _Speech:
    """What is said, what an answer begins with, and how long it is at least.

    `whole` tells whether that was all of it; `hangs_up`: the server closes after its answer because it was asked to;
    `logs_in`: a password goes before.
    """

    ask: Callable[[ProbeShape], bytes]
    answer: bytes = b""
    answer_bytes: int = 1
    whole: Callable[[bytes], bool] = _anything
    hangs_up: bool = False
    logs_in: bool = False

    def after_login(self, password: str) -> _Speech:
        """The same after a password, in one breath; a server that answers without one is not asked for it."""
        if not self.logs_in:
            return self
        login = f"*2\r\n$4\r\nAUTH\r\n${len(password)}\r\n{password}\r\n".encode()
        answer = b"+OK\r\n"
        return replace(self, ask=lambda shape: login + self.ask(shape), answer=answer, answer_bytes=len(answer) + 1)

    def is_answered(self, heard: bytes, whole: bool) -> bool:
        """Whether enough has been heard."""
        return len(heard) >= self.answer_bytes and heard.startswith(self.answer) and (not whole or self.whole(heard))


class _Talk(asyncio.Protocol):
    """One probe's connection; `done` is set at the answer, or at the close after it, or to what went wrong."""

    def __init__(self, speech: _Speech, shape: ProbeShape, done: asyncio.Future[None]) -> None:
        self.done = done
        self._speech = speech
        self._shape = shape
        self._heard = b""
        self._answered = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self.done.cancelled():  # the probe's time was over while it connected
            transport.abort()
            return
        transport.write(self._speech.ask(self._shape))
        self.data_received(b"")  # being let in can be the answer

    def data_received(self, data: bytes) -> None:
        if self._answered:
            return
        self._heard += data
        self._answered = self._speech.is_answered(self._heard, self._shape.until != "answer")
        if not self._answered or self.done.done():
            return
        if self._shape.until != "close":
            self.done.set_result(None)
        elif self._transport and not self._speech.hangs_up:
            with contextlib.suppress(OSError):  # closed already; connection_lost tells
                self._transport.write_eof()  # the server's turn to close

    def connection_lost(self, error: Exception | None) -> None:
        if self.done.done():
            return
        if self._answered and error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error or ConnectionAbortedError("closed before it answered"))

    def leave(self) -> None:
        """Close without waiting for anything."""
        if self.done.done() and not self.done.cancelled():
            self.done.exception()  # looked at, so that asyncio does not report it as lost
        self.done.cancel()  # a connection that comes up or goes after this ends nothing any more
        if self._transport:
            self._transport.abort()


def _http(path: str) -> _Speech:
    def ask(shape: ProbeShape) -> bytes:
        sends_bytes = shape.sends_bytes
        # Only who waits for the close asks for it: a link that loses answers still passes closes on.
        close = "Connection: close\r\n" if shape.until == "close" else ""
        padding = "".join(
            f"X-Canary-{start}: {'.' * min(HEADER_BYTES, sends_bytes - start)}\r\n"
            for start in range(0, sends_bytes, HEADER_BYTES)
        )
        return f"GET {path} HTTP/1.1\r\nHost: canary\r\nUser-Agent: lab-canary\r\n{close}{padding}\r\n".encode()

    return _Speech(ask, b"HTTP/1.", len("HTTP/1.1 200"), _whole_http, hangs_up=True)


def _whole_http(heard: bytes) -> bool:
    head, end, body = heard.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    return bool(end) and len(body) >= (int(length[1]) if length else 0)


def _redis(shape: ProbeShape) -> bytes:
    key = b"." * shape.sends_bytes
    return b"*2\r\n$6\r\nEXISTS\r\n$%d\r\n%b\r\n" % (len(key), key) if key else b"PING\r\n"


def _postgres(shape: ProbeShape) -> bytes:
    return (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")  # SSLRequest; the answer is one byte


def _nothing(shape: ProbeShape) -> bytes:
    return b""


_CONNECT = _Speech(_nothing, answer_bytes=0)  # a server that no one here can talk to: being let in is the answer
_SPEAK: Mapping[str, _Speech] = {
    "service": _http("/healthz"),
    "nginx": _http("/healthz"),
    "haproxy": _http("/healthz"),
    "etcd": _http("/health"),
    "redis": _Speech(_redis, logs_in=True),  # it takes no long question from somebody whom it does not know
    "postgres": _Speech(_postgres),
    "nats": _Speech(_nothing, b"INFO "),  # it speaks first
    "mariadb": _Speech(_nothing),  # so does this one
}


def can_pad(member: Member) -> bool:
    """Whether a probe can ask this member with as many bytes as it likes."""
    speech = _SPEAK["service" if isinstance(member, Service) else member.kind]
    return len(speech.ask(ProbeShape(sends_bytes=1_000))) >= 1_000
