"""Traces from the spans in logs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lab.observe.traces import assemble


def span(trace: str, own: str, parent: str | None, start: float, ms: float, **more: Any) -> str:
    """A span as services log it."""
    base: dict[str, Any] = {"level": "info", "event": "span", "trace_id": trace, "span_id": own, "parent_id": parent}
    base |= {"ts": start, "start": start, "duration_ms": ms, "name": own}
    return json.dumps(base | more)


def write(folder: Path, **logs: list[str]) -> Path:
    """Logs by service."""
    for service, text in logs.items():
        (folder / f"{service}.log").write_text("\n".join(text) + "\n")
    return folder


def test_spans_of_several_services_become_one_tree(tmp_path: Path) -> None:
    """A call and the request it became stand below the request that made it, with offsets from the trace's start."""
    logs = write(
        tmp_path,
        exchange=[
            span(
                "t1",
                "client",
                "server",
                100.001,
                8,
                kind="client",
                service="exchange",
                peer="payments",
                error="timeout",
            ),
            span("t1", "server", "load", 100.0, 10, kind="server", service="exchange", status=504),
            span("t2", "other", None, 50.0, 1),
        ],
        payments=[
            "garbage",
            span("t1", "charge", "client", 100.002, 6.5, kind="server", service="payments", status=201),
        ],
    )
    (trace,) = assemble(logs, ["t1", "t9"])
    assert (trace.trace_id, trace.start_epoch_s) == ("t1", 100.0)
    assert trace.duration_ms == pytest.approx(10)
    assert [(depth, s.name, s.service) for depth, s in trace.walk()] == [
        (0, "server", "exchange"), (1, "client", "exchange"), (2, "charge", "payments"),
    ]  # fmt: skip
    client = trace.roots[0].children[0]
    assert (client.peer, client.error, client.status) == ("payments", "timeout", None)
    assert client.offset_ms == pytest.approx(1)
    assert client.children[0].offset_ms == pytest.approx(2)
    assert trace.roots[0].status == 504


def test_traces_come_in_the_order_asked_for_and_once(tmp_path: Path) -> None:
    """The slowest operation stays the first, and an id asked for twice gives one trace."""
    logs = write(tmp_path, a=[span("t1", "a", None, 1, 1), span("t2", "b", None, 2, 1), span("t1", "a", None, 1, 99)])
    assert [trace.trace_id for trace in assemble(logs, ["t2", "t1", "t2"])] == ["t2", "t1"]
    assert assemble(logs, ["t1"])[0].duration_ms == pytest.approx(1)


def test_late_children_lengthen_the_trace_and_lost_parents_make_roots(tmp_path: Path) -> None:
    """A trace lasts until its last span ends; spans whose parent is in no log stand at the top, in order of start."""
    logs = write(tmp_path, a=[span("t", "late", "lost", 1.5, 1000), span("t", "first", "load", 1.0, 10)])
    (trace,) = assemble(logs, ["t"])
    assert [root.name for root in trace.roots] == ["first", "late"]
    assert trace.duration_ms == pytest.approx(1500)


def test_spans_that_make_no_sense_are_survived(tmp_path: Path) -> None:
    """Spans of the wrong types are passed over, and spans that name each other as parent are still shown, once."""
    bad = [
        span("t", "x", None, 1, 1, duration_ms="long"),
        span("t", "y", None, 1, 1, name=3),
        span("t", "z", "z", 1, 1),
    ]
    logs = write(
        tmp_path, a=[*bad, span("t", "p", "q", 2, 1), span("t", "q", "p", 3, 1), "[]", '{"event":"span","trace_id":{}}']
    )
    (trace,) = assemble(logs, ["t"])
    assert sorted(s.name for _, s in trace.walk()) == ["p", "q", "z"]
