"""An answer of any size takes no more memory than what is kept of it."""

from __future__ import annotations

import pytest

from lab.load.client import KEEP_BYTES, _judge, _Parser


@pytest.mark.parametrize("keep", [True, False])
def test_a_huge_answer_is_counted_and_not_held(keep: bool) -> None:
    """Its length is known to the byte, its first 4 kB are what they were."""
    parser = _Parser("GET")
    parser.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 6400001\r\n\r\n<")
    for _ in range(100):
        parser.feed(b"x" * 64_000)
    assert parser.message_complete
    assert len(parser._body_buffer) <= KEEP_BYTES
    answer = _judge(parser, keep)
    assert (answer.outcome, answer.length) == ("ok", 6_400_001)
    assert answer.response == ("<" + "x" * (KEEP_BYTES - 1) if keep else None)
