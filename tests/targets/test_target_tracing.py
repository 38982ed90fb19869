"""W3C trace context."""

from __future__ import annotations

import pytest

from targets.kit import tracing

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def test_a_callers_trace_is_continued_and_passed_on() -> None:
    """A child keeps trace, flags and state of its caller, has an id of its own, and says so in its headers."""
    caller = tracing.caller(f"00-{TRACE}-{SPAN}-00", "vendor=1")
    child = tracing.begin(caller)
    assert (child.trace_id, child.parent_id) == (TRACE, SPAN)
    assert child.span_id not in (SPAN, "")
    assert child.headers == {"traceparent": f"00-{TRACE}-{child.span_id}-00", "tracestate": "vendor=1"}


def test_without_a_caller_a_new_trace_begins() -> None:
    """A first span has a new trace id, no parent, and is marked as sampled."""
    first, second = tracing.begin(None), tracing.begin(None)
    assert first.trace_id != second.trace_id
    assert first.parent_id == ""
    assert tracing.caller(first.headers["traceparent"]) is not None
    assert first.headers["traceparent"].endswith("-01")


def test_a_later_version_is_read_as_far_as_it_is_known() -> None:
    """A version we do not know may have more fields; ours are read all the same."""
    caller = tracing.caller(f"01-{TRACE}-{SPAN}-01-what-is-this")
    assert caller is not None
    assert caller.trace_id == TRACE


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "nonsense",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}",
    ],
)
def test_a_malformed_header_is_as_good_as_none(header: str | None) -> None:
    """What the standard calls invalid starts a new trace."""
    assert tracing.caller(header) is None
