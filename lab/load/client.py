"""One HTTP/1.1 exchange over a pooled connection: sent once, never repeated, never redirected, bounded in time.

This stands on the connections and the parser of Locust's FastHttpUser (geventhttpclient) and not on its `client.get()`:
that one sends an idempotent request again when a connection closes, as often as the pool is large, which a history
checker would see as one operation and the service as many; and its time limit counts anew from every byte received.
"""

from __future__ import annotations

import errno
import socket as plain
from time import perf_counter
from typing import Any, NamedTuple

import gevent.socket
from geventhttpclient._parser import HTTPParseError
from geventhttpclient.connectionpool import ConnectionPool
from geventhttpclient.response import HTTPResponse

from lab.load.forms import PreparedRequest

KEEP_BYTES = 4096
_BLOCK_BYTES = 65536
_UNSURE = {500, 502, 504}


class Answer(NamedTuple):
    """How an exchange ended. `outcome` is ok, fail (it did not happen) or info (nobody knows whether it did)."""

    outcome: str
    status: int | None
    error: str | None
    response: str | None
    length: int


class Connections(ConnectionPool):
    """Connections to one address, as many as there are exchanges under way; the one used last is used next."""

    def __init__(self, host: str, port: int, most: int, timeout_s: float) -> None:
        super().__init__(host, port, host, port, size=most, connection_timeout=timeout_s, network_timeout=timeout_s)
        self._addresses = super()._resolve()  # once: looking a name up takes a thread each time

    def _resolve(self) -> Any:
        return self._addresses

    def after_connect(self, sock: gevent.socket.socket) -> None:
        """Send small requests at once."""
        sock.setsockopt(plain.IPPROTO_TCP, plain.TCP_NODELAY, 1)

    def _is_socket_alive(self, sock: gevent.socket.socket) -> bool:
        # The library asks select(), which cannot take descriptors above 1023 and then calls every connection dead.
        try:
            sock._sock.recv(1, plain.MSG_PEEK | plain.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False  # closed by the other side, or bytes that nobody asked for


class _Parser(HTTPResponse):
    """The library's parser without an index of headers, which costs half of its time and is of no use here."""

    def _on_header_field(self, text: str) -> None:
        pass

    def _on_header_value(self, text: str) -> None:
        pass

    def _on_status(self, text: str) -> None:
        pass

    length = 0

    def _on_body(self, buf: bytearray) -> None:
        """Count all of it, hold what may be kept: an answer can be of any size, and thousands are under way."""
        self.length += len(buf)
        if len(self._body_buffer) < KEEP_BYTES:
            self._body_buffer += buf[: KEEP_BYTES - len(self._body_buffer)]


class Client:
    """Exchanges with one address."""

    def __init__(self, host: str, port: int, most: int, timeout_s: float) -> None:
        self._connections = Connections(host, port, most, timeout_s)
        self._timeout_s = timeout_s

    def exchange(self, request: PreparedRequest) -> Answer:
        """Send and wait for the whole answer, `timeout_s` at most. Never raises for what the network does."""
        until_s = perf_counter() + self._timeout_s
        try:
            sock = self._connections.get_socket()
        except OSError as error:
            return Answer("fail", None, _word_before_sending(error), None, 0)
        parser = _Parser(request.method)
        reusable = False
        try:
            self._converse(sock, request, parser, until_s)
            reusable = not parser.should_close()
        except (OSError, HTTPParseError, EOFError) as error:
            return Answer("info", None, _word_after_sending(error), None, 0)
        finally:
            # Also when the greenlet is killed: a connection with half an answer in it must not serve another.
            (self._connections.return_socket if reusable else self._connections.release_socket)(sock)
        return _judge(parser, request.keep)

    @staticmethod
    def _converse(sock: gevent.socket.socket, request: PreparedRequest, parser: _Parser, until_s: float) -> None:
        sock.settimeout(max(0.001, until_s - perf_counter()))
        sent = sock.send(request.wire)  # sendall() would first ask how large the buffer is, each time
        if sent < len(request.wire):
            sock.sendall(request.wire[sent:])
        while True:
            data = sock.recv(_BLOCK_BYTES)
            if not data:
                _end(parser)
                return
            parser.feed(data)
            if parser.message_complete and parser.get_code() >= 200:
                return
            remaining_s = until_s - perf_counter()
            if remaining_s <= 0:
                raise TimeoutError
            sock.settimeout(remaining_s)


def _end(parser: _Parser) -> None:
    """The other side has closed: that is how some answers end, and otherwise none has come."""
    try:
        parser.feed(b"")
    except HTTPParseError:
        raise EOFError from None
    if not parser.message_complete or parser.get_code() < 200:
        raise EOFError


def _judge(parser: _Parser, keep: bool) -> Answer:
    status = parser.get_code()
    kept = bytes(parser._body_buffer).decode("utf-8", "replace") if keep else None
    if status < 400:
        return Answer("ok", status, None, kept, parser.length)
    # A server that broke midway, and a gateway that asked somebody further on in vain: it may have happened.
    outcome = "info" if status in _UNSURE else "fail"
    return Answer(outcome, status, f"http {status}", kept, parser.length)


def _word_before_sending(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if isinstance(error, TimeoutError):
        return "connect timeout"
    return f"connect {errno.errorcode.get(error.errno or 0, type(error).__name__)}"


def _word_after_sending(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return "reset"
    if isinstance(error, EOFError):
        return "closed"
    if isinstance(error, HTTPParseError):
        return "garbled"
    return errno.errorcode.get(getattr(error, "errno", None) or 0, type(error).__name__)
