"""Logs of services, and whatever else stands between their lines."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from lab.observe.logs import SHORTENED, Digest, digests, lines


def test_lines_are_objects_or_text(tmp_path: Path) -> None:
    """A line that is a JSON object is given as one; everything else, broken bytes among it, as text."""
    log = tmp_path / "exchange.log"
    log.write_bytes(b'{"event":"up"}\n\n[1]\n{"torn": \n\xff\xfe\nTraceback (most recent call last):\n"text"\n')
    assert list(lines(log)) == [
        {"event": "up"}, "[1]", '{"torn":', "\ufffd\ufffd", "Traceback (most recent call last):", '"text"',
    ]  # fmt: skip
    assert list(lines(tmp_path / "none.log")) == []


@given(st.binary(max_size=200))
def test_no_garbage_stops_the_reading(garbage: bytes) -> None:
    """Whatever bytes stand in a log, the line after them is still read."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "a.log")
        file.write_bytes(garbage + b'\n{"event":"after"}\n')
        assert list(lines(file))[-1] == {"event": "after"}
        assert digests(Path(folder))[0].by_level["unknown"] >= 1


def test_a_digest_counts_levels_and_keeps_the_last_errors(tmp_path: Path) -> None:
    """Levels are counted; the last errors are told in a line each, the last texts are kept, long ones shortened."""
    told = [{"ts": 0, "level": "info", "event": "span"}] * 3
    told += [{"ts": n, "level": "error", "event": f"failed {n}", "trace_id": "t", "peer": "payments"} for n in range(9)]
    told += [{"ts": 1e300, "level": "ERROR", "event": "odd clock"}, {"ts": "?", "level": None, "event": "x" * 999}]
    text = "".join(json.dumps(line) + "\n" for line in told) + "y" * 999 + "\n"
    (tmp_path / "exchange.log").write_text(text)
    (tmp_path / "empty.log").write_text("")
    empty, exchange = digests(tmp_path, last=2)
    assert empty == Digest("empty", {}, 0, (), ())
    assert exchange.by_level == {"info": 3, "error": 10, "none": 1}
    assert exchange.texts == 1
    assert exchange.last_errors[0].endswith(":08 failed 8 (peer=payments)")
    assert exchange.last_errors[1] == "odd clock"
    assert exchange.last_texts == ("y" * (SHORTENED - 1) + "…",)
