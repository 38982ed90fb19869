"""Calls to other services: one attempt at a time, each with its trace, its metrics and a reason when it fails."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

import msgspec
from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientHandlerType,
    ClientOSError,
    ClientPayloadError,
    ClientRequest,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    ServerDisconnectedError,
    TCPConnector,
)

from targets.kit import tracing
from targets.kit.logs import Log
from targets.kit.metrics import Metrics
from targets.kit.problems import Problem

T = TypeVar("T")
Failure = Literal["timeout", "refused", "unreachable", "reset", "garbled"]
ANSWERS = (200, 201, 500, 502, 503, 504)


class NoAnswer(Exception):
    """
    An attempt that got no whole answer, and why.

    timeout: none in time; refused: nobody listens; unreachable: no way there; reset: the connection ended under way;
    garbled: what came is not HTTP, or not all of it. `never_sent` is sure; without it the peer may have done the work.
    """

    def __init__(self, peer: str, failure: Failure, detail: str) -> None:
        super().__init__(f"{peer}: {failure}: {detail}" if detail else f"{peer}: {failure}")
        self.peer = peer
        self.failure = failure

    @property
    def never_sent(self) -> bool:
        """Whether the request surely never reached the peer."""
        return self.failure in ("refused", "unreachable")

    def problem(self, advice: str = "", more: Mapping[str, object] | None = None) -> Problem:
        """What a target answers that needed this call: 504 `<peer>-timeout`, or 502 `<peer>-unreachable`."""
        detail = f"{self}; {advice}." if advice else f"{self}."
        if self.failure == "timeout":
            return Problem(504, f"{self.peer}-timeout", detail, more=more)
        return Problem(502, f"{self.peer}-unreachable", detail, more={**(more or {}), "failure": self.failure})


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def read(self, kind: type[T]) -> T:
        """The body as `kind`. Raises msgspec.DecodeError where it is none."""
        return msgspec.json.decode(self.body, type=kind)


def outcomes(method: str, peer: str, answers: Sequence[int]) -> Iterator[tuple[str, str, str, str]]:
    """The labels of every attempt that can come: method, peer, status and error_type."""
    for status in answers:
        yield method, peer, str(status), _error(status)
    for failure in (*get_args(Failure), "cancelled"):
        yield method, peer, "", failure


class Peer:
    """The way to one other service. `timeout_s` bounds an attempt from the wait for a connection to the last byte."""

    def __init__(
        self, name: str, url: str, timeout_s: float, session: ClientSession, log: Log, metrics: Metrics
    ) -> None:
        self.name = name
        self.url = url
        self.timeout_s = timeout_s
        # aiohttp would round timeouts over 5 s up to whole seconds of the clock.
        self._timeout = ClientTimeout(total=timeout_s, ceil_threshold=float("inf"))
        self._session = session
        self._log = log
        self._metrics = metrics
        self._active = metrics.client_active.labels(name)  # at 0 from the start

    async def post(self, path: str, content: object, headers: Mapping[str, str] | None = None) -> Answer:
        """POST `content` as JSON. Raises NoAnswer."""
        sent = {"Content-Type": "application/json", **(headers or {})}
        return await self.attempt("POST", path, msgspec.json.encode(content), sent)

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        """GET `path`. Raises NoAnswer."""
        return await self.attempt("GET", path, None, headers or {})

    async def attempt(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        """Send one request, never a second one, and read its whole answer. Raises NoAnswer."""
        span = tracing.begin(tracing.current.get())
        status, error = "", "cancelled"
        began, began_s = time.time(), time.perf_counter()
        self._active.inc()
        try:
            answer = await self._exchange(method, path, body, {**headers, **span.headers})
            status = str(answer.status)
            error = _error(answer.status)
            return answer
        except NoAnswer as none:
            error = none.failure
            raise
        finally:
            self._active.dec()
            took_s = time.perf_counter() - began_s
            self._metrics.client_duration.observe(took_s, method, self.name, status, error)
            self._log.info(
                "span",
                kind="client",
                name=f"{method} {path.partition('?')[0]}",
                peer=self.name,
                trace_id=span.trace_id,
                span_id=span.span_id,
                parent_id=span.parent_id,
                start=began,
                duration_ms=round(took_s * 1000, 3),
                status=int(status or 0),
                error=error,
            )

    async def _exchange(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        try:
            async with self._session.request(
                method, self.url + path, data=body, headers=headers, timeout=self._timeout, allow_redirects=False
            ) as response:
                return Answer(response.status, response.headers, await response.read())
        except TimeoutError as none:
            raise NoAnswer(self.name, "timeout", f"no answer within {self.timeout_s:g} s") from none
        except (ClientError, _Broken) as none:
            raise NoAnswer(self.name, failure_of(none), str(none)) from none


def _error(status: int) -> str:
    """The `error_type` of an answer."""
    return str(status) if status >= 400 else ""


class _Broken(Exception):
    """A connection that ended under way, in a form that aiohttp does not take as a reason to try again."""


async def _only_once(request: ClientRequest, send: ClientHandlerType) -> ClientResponse:
    # aiohttp sends a GET again by itself when a kept connection turns out to be closed: an attempt that nobody counts.
    try:
        return await send(request)
    except ClientConnectorError:
        raise
    except (ClientOSError, ServerDisconnectedError) as broken:
        raise _Broken(str(broken)) from broken


def failure_of(error: Exception) -> Failure:
    """The word for what aiohttp raised."""
    if isinstance(error, ClientConnectorError):
        return "refused" if error.os_error.errno == errno.ECONNREFUSED else "unreachable"
    return "reset" if isinstance(error, _Broken | ClientOSError | ClientPayloadError) else "garbled"


def open_session() -> ClientSession:
    """
    One session for all peers of a service.

    No bound on connections: calls that wait for a silent peer must not make others queue in the client, or the lab
    would measure that queue. No cookies: peers are programs.
    """
    return ClientSession(connector=TCPConnector(limit=0), cookie_jar=DummyCookieJar(), middlewares=(_only_once,))
