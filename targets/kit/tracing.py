"""W3C trace context: which trace and span the running code belongs to, taken from and given to others as headers."""

from __future__ import annotations

import random
import re
from contextvars import ContextVar
from dataclasses import dataclass

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_ids = random.Random()  # its own generator, so that a target that seeds `random` does not repeat its ids


@dataclass(frozen=True, slots=True)
class Span:
    """One piece of work in a trace: ids are lower-case hex, `parent_id` is empty at the root of a trace."""

    trace_id: str
    span_id: str
    parent_id: str = ""
    flags: str = "01"
    tracestate: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """What a request must carry so that its callee continues this trace."""
        headers = {"traceparent": f"00-{self.trace_id}-{self.span_id}-{self.flags}"}
        if self.tracestate:
            headers["tracestate"] = self.tracestate
        return headers


current: ContextVar[Span | None] = ContextVar("current span", default=None)


def begin(parent: Span | None) -> Span:
    """A new span below `parent`, or the first of a new trace."""
    span_id = f"{_ids.getrandbits(64) or 1:016x}"
    if parent is None:
        return Span(f"{_ids.getrandbits(128) or 1:032x}", span_id)
    return Span(parent.trace_id, span_id, parent.span_id, parent.flags, parent.tracestate)


def caller(traceparent: str | None, tracestate: str = "") -> Span | None:
    """
    The caller's span as its headers tell it; None where there is none or it is malformed, as the standard asks.

    Source: W3C Trace Context, level 1, section 3.2. Fields that a later version adds are not passed on.
    """
    match = _TRACEPARENT.fullmatch(traceparent.strip()) if traceparent else None
    if match is None:
        return None
    version, trace_id, span_id, flags, more = match.groups()
    if version == "ff" or (version == "00" and more) or not int(trace_id, 16) or not int(span_id, 16):
        return None
    return Span(trace_id, span_id, flags=flags, tracestate=tracestate)
