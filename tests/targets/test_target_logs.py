"""Logs: JSON lines that never hold the loop up."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from targets.kit import logs, tracing
from targets.kit.logs import Log, adopt_logging


class Sink:
    """Takes what is written, after the gate has been opened."""

    def __init__(self, gate_open: bool = True) -> None:
        self.gate = threading.Event()
        if gate_open:
            self.gate.set()
        self.data = b""

    def __call__(self, data: bytes) -> None:
        self.gate.wait()
        self.data += data

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.data.splitlines()]


def test_a_line_says_when_who_what_and_in_which_trace() -> None:
    """Each line is one JSON object with time, level, service, event, its trace and fields of its own."""
    sink = Sink()
    log = Log("payments", "info", sink)
    span = tracing.begin(None)
    token = tracing.current.set(span)
    log.warning("charge refused", amount_cents=5, why=ValueError("no\nmoney"))
    tracing.current.reset(token)
    log.info("later")
    log.close()
    first, second = sink.lines
    assert abs(first.pop("ts") - time.time()) < 60
    assert first == {
        "level": "warning",
        "service": "payments",
        "event": "charge refused",
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        "amount_cents": 5,
        "why": "no\nmoney",
    }
    assert "trace_id" not in second


def test_levels_below_the_wanted_are_left_out() -> None:
    """At level error only errors are written, and what must always be said."""
    sink = Sink()
    log = Log("payments", "error", sink)
    for say in (log.debug, log.info, log.warning, log.error, log.always):
        say("heard", by=say.__name__)
    log.close()
    assert [line["by"] for line in sink.lines] == ["error", "always"]


def test_lines_are_written_without_being_asked_for() -> None:
    """A line is written soon by itself, so that a log can be followed."""
    sink = Sink()
    log = Log("payments", "info", sink)
    log.info("hello")
    until_s = time.monotonic() + 10
    while not sink.data and time.monotonic() < until_s:
        time.sleep(0.01)
    assert sink.lines[0]["event"] == "hello"
    log.close()


def test_a_stuck_reader_costs_lines_and_not_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """While nobody reads, lines beyond the bound are dropped, and afterwards the log says how many."""
    monkeypatch.setattr(logs, "MOST_WAITING", 10)
    sink = Sink(gate_open=False)
    log = Log("payments", "info", sink)
    for number in range(25):
        log.put("info", "line", {"number": number})
    sink.gate.set()
    log.close()
    written = sum(line["event"] == "line" for line in sink.lines)
    dropped = sum(line.get("lines", 0) for line in sink.lines if line["event"] == "log lines dropped")
    assert written + dropped == 25
    assert dropped > 0


def test_what_libraries_say_becomes_our_lines() -> None:
    """A library's warning and its traceback come out as JSON lines; what is below the level does not."""
    sink = Sink()
    log = Log("payments", "warning", sink)
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        adopt_logging(log, "warning")
        logging.getLogger("some.library").info("chatter")
        try:
            raise KeyError("gone")
        except KeyError:
            logging.getLogger("some.library").exception("it failed: %s", "badly")
    finally:
        root.handlers[:], root.level = before
    log.close()
    (line,) = sink.lines
    assert (line["level"], line["event"], line["logger"]) == ("error", "it failed: badly", "some.library")
    assert line["traceback"].endswith("KeyError: 'gone'")


def test_standard_output_gets_every_byte(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Writing goes on where a full pipe took only a part, and ends quietly where the reader is gone."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    monkeypatch.setattr(logs, "STDOUT", write_end)
    data = os.urandom(300_000)
    got = bytearray()

    def drain() -> None:
        while len(got) < len(data):
            got.extend(os.read(read_end, 65_536))

    reader = threading.Thread(target=drain)
    reader.start()
    logs.write_to_stdout(data)
    reader.join(timeout=10)
    assert bytes(got) == data
    os.close(read_end)
    logs.write_to_stdout(b"nobody there")
    os.close(write_end)
