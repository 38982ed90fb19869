"""
From spans in the services' logs to traces.

A service logs a span for each request it served and each call it made; the load gives every operation a trace id,
which is passed on (W3C Trace Context). All services share one machine's clock, so offsets can be compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from lab.observe.logs import lines_with


class _Logged(msgspec.Struct):
    """A span as it stands in a log."""

    trace_id: str
    span_id: str
    start: float
    duration_ms: float
    name: str
    kind: str = ""
    service: str = ""
    parent_id: str | None = None
    status: int | None = None
    peer: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class Span:
    """A request served (`server`) or a call made (`client`, to `peer`); `offset_ms` from the start of its trace."""

    name: str
    kind: str
    service: str
    peer: str | None
    offset_ms: float
    duration_ms: float
    status: int | None
    error: str | None
    children: tuple[Span, ...] = ()

    def walk(self, depth: int = 0) -> Iterator[tuple[int, Span]]:
        """This span and all below it, with their depth, in order of start."""
        yield depth, self
        for child in self.children:
            yield from child.walk(depth + 1)


@dataclass(frozen=True)
class Trace:
    """What one operation set off. `roots` has more than one span where a log lacks the span between."""

    trace_id: str
    start_epoch_s: float
    duration_ms: float
    roots: tuple[Span, ...]

    def walk(self) -> Iterator[tuple[int, Span]]:
        """All spans with their depth, as a waterfall shows them."""
        for root in self.roots:
            yield from root.walk()


def assemble(logs: Path, trace_ids: Sequence[str]) -> list[Trace]:
    """Traces by id, in the order asked for, from all `*.log` of an episode's folder; those not found are left out."""
    wanted = set(trace_ids)
    found: dict[str, dict[str, _Logged]] = {}
    for file in sorted(logs.glob("*.log")):
        for line in lines_with(file, "trace_id", wanted):
            span = _span(line, wanted)
            if span is not None:
                found.setdefault(span.trace_id, {}).setdefault(span.span_id, span)
    return [_trace(trace_id, found[trace_id]) for trace_id in dict.fromkeys(trace_ids) if trace_id in found]


def _span(line: dict[str, Any], wanted: set[str]) -> _Logged | None:
    if line.get("event") != "span":
        return None
    try:
        span = msgspec.convert(line, _Logged)
    except msgspec.ValidationError:
        return None
    return span if span.trace_id in wanted else None


def _trace(trace_id: str, spans: dict[str, _Logged]) -> Trace:
    ordered = sorted(spans.values(), key=lambda span: span.start)
    below: dict[str, list[_Logged]] = {}
    for span in ordered:
        if span.parent_id in spans:
            below.setdefault(str(span.parent_id), []).append(span)
    begin_s = ordered[0].start
    placed: set[str] = set()

    def place(span: _Logged) -> Span:
        placed.add(span.span_id)
        children = [place(child) for child in below.get(span.span_id, []) if child.span_id not in placed]
        offset_ms = (span.start - begin_s) * 1000
        # Services write "no answer" as status 0, and "no error" as an empty text.
        return Span(
            span.name, span.kind, span.service, span.peer, offset_ms, span.duration_ms, span.status or None,
            span.error or None, tuple(children),
        )  # fmt: skip

    roots = [place(span) for span in ordered if span.parent_id not in spans]
    roots += [place(span) for span in ordered if span.span_id not in placed]  # spans that name each other as parent
    end_s = max(span.start + span.duration_ms / 1000 for span in ordered)
    return Trace(trace_id, begin_s, (end_s - begin_s) * 1000, tuple(roots))
