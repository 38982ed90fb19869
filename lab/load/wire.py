"""Requests as the bytes that go over the wire, made before the run so that sending costs nothing but the send."""

from __future__ import annotations

import json
import re

from lab.errors import ScenarioError
from lab.load.arrivals import Arrival

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, 5.6.2
_TARGET = re.compile(r"/[^\x00-\x20\x7f]*")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")  # RFC 9110, 5.5: neither CR nor LF
_WITH_BODY = {"POST", "PUT", "PATCH"}
_OURS = {"host", "content-length", "transfer-encoding", "connection"}


def render(arrival: Arrival, host: str) -> bytes:
    """Give the HTTP/1.1 request (head and body) of an arrival; `host` is what stands in the Host header.

    Raises ScenarioError for what HTTP cannot carry: a method or header name that is no token, a path that does not
    begin with `/` or holds a space, a header value with a line break, a body that is not JSON.
    """
    request = arrival.request
    headers = {
        "Host": host,
        "User-Agent": "chaos-lab",
        "Accept": "*/*",
        "traceparent": arrival.traceparent,
    }
    body = b""
    if request.body is not None:
        body = _json(arrival)
        headers["Content-Type"] = "application/json"
    if body or request.method in _WITH_BODY:
        headers["Content-Length"] = str(len(body))
    for name, value in request.headers.items():
        headers = {known: kept for known, kept in headers.items() if known.lower() != name.lower()}
        headers[name] = value
    _check(arrival)
    head = f"{request.method} {request.path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items())
    return head.encode("latin-1") + b"\r\n" + body


def _json(arrival: Arrival) -> bytes:
    try:
        return json.dumps(arrival.request.body, separators=(",", ":"), allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise _wrong(arrival, f"its body cannot be sent as JSON ({error})") from error


def _check(arrival: Arrival) -> None:
    request = arrival.request
    if not _TOKEN.fullmatch(request.method):
        raise _wrong(arrival, f"{request.method!r} is not an HTTP method; write GET, POST, ...")
    if not _TARGET.fullmatch(request.path) or not request.path.isascii():
        raise _wrong(
            arrival, f"{request.path!r} is not a path; it begins with / and has its spaces and accents %-encoded"
        )
    for name, value in request.headers.items():
        if name.lower() in _OURS:
            raise _wrong(arrival, f"the header {name} is set by the lab; leave it out")
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise _wrong(arrival, f"the header {name!r}: {value!r} cannot be sent; headers are one line of Latin-1")


def _wrong(arrival: Arrival, what: str) -> ScenarioError:
    return ScenarioError([f'operation "{arrival.operation}" (arrival {arrival.n}): {what}.'])
