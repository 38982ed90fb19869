"""JSON logs, one object a line on standard output, written by a thread so that a slow reader cannot stop the loop."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Literal

import msgspec
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web import RequestPayloadError

from targets.kit import tracing

Level = Literal["debug", "info", "warning", "error"]
RANKS: Mapping[Level, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40}
MOMENT = "moment"  # the `event` of lines that the lab keeps as events of the run
STDOUT = 1
FLUSH_EVERY_S = 0.1
MOST_WAITING = 100_000  # lines; some 30 MB: a reader that has stopped must not fill the memory


class Log:
    """
    Lines with `ts` (epoch seconds), `level`, `service`, `event`, the trace they belong to and any fields of their own.

    Lines below `level` are not written. Nothing waits: past MOST_WAITING lines the newest are dropped and counted, and
    the next line that can be written says how many.
    """

    def __init__(self, service: str, level: Level = "info", write: Callable[[bytes], None] | None = None) -> None:
        self.service = service
        self._rank = RANKS[level]
        self._write = write or write_to_stdout
        self._encoder = msgspec.json.Encoder(enc_hook=str)
        self._lines: deque[bytes] = deque()
        self._dropped = 0
        self._writing = threading.Lock()
        self._closing = threading.Event()
        self._writer = threading.Thread(target=self._write_until_closed, name="log", daemon=True)
        self._writer.start()
        atexit.register(self.close)

    def debug(self, event: str, **more: object) -> None:
        """For whoever is looking for a bug."""
        self._add("debug", event, more)

    def info(self, event: str, **more: object) -> None:
        """What happened."""
        self._add("info", event, more)

    def warning(self, event: str, **more: object) -> None:
        """What should not happen, and was dealt with."""
        self._add("warning", event, more)

    def error(self, event: str, **more: object) -> None:
        """What failed."""
        self._add("error", event, more)

    def always(self, event: str, **more: object) -> None:
        """A line that no level hides and that is written at once: where the service listens, that it stops."""
        self.put("info", event, more)
        self.flush()

    def moment(self, text: str, **facts: str | int | float | bool) -> None:
        """An event of the run, such as `moment("breaker opened", peer="payments")`: exactly now, drawn on every chart.

        No level hides it, and nothing waits for it to be written. `text` is a few words about this service; `facts`
        are shown behind it.
        """
        self.put("info", MOMENT, {"text": text, "facts": facts})

    def put(self, level: Level, event: str, more: Mapping[str, object]) -> None:
        """Queue one line, whatever the level. Values that JSON cannot say are written as text."""
        if len(self._lines) >= MOST_WAITING:
            self._dropped += 1
            return
        line: dict[str, object] = {"ts": time.time(), "level": level, "service": self.service, "event": event}
        here = tracing.current.get()
        if here is not None:
            line["trace_id"], line["span_id"] = here.trace_id, here.span_id
        line.update(more)
        self._lines.append(self._encoder.encode(line))

    def flush(self) -> None:
        """Write what waits, now."""
        with self._writing:
            dropped, self._dropped = self._dropped, 0
            lines = []
            while self._lines:
                lines.append(self._lines.popleft())
            if dropped:
                self.put("warning", "log lines dropped", {"lines": dropped})
                lines.append(self._lines.popleft())
            if lines:
                self._write(b"\n".join(lines) + b"\n")

    def close(self) -> None:
        """Write what waits and end the thread, unless the reader has stopped for good; may be called again."""
        atexit.unregister(self.close)
        self._closing.set()
        self._writer.join(timeout=1)
        if not self._writer.is_alive():
            self.flush()

    def _add(self, level: Level, event: str, more: Mapping[str, object]) -> None:
        if RANKS[level] >= self._rank:
            self.put(level, event, more)

    def _write_until_closed(self) -> None:
        while not self._closing.wait(FLUSH_EVERY_S):
            self.flush()


class Bridge(logging.Handler):
    """Brings what libraries say through `logging` into our lines, tracebacks included."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self.log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Queue one record as a line whose event is its text and whose `logger` says who spoke."""
        more: dict[str, object] = {"logger": record.name}
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError | RequestPayloadError):  # the client's mistake, answered with 400
            self.log.put("warning", "malformed request", {**more, "error": " ".join(str(error).split())})
            return
        if record.exc_info and record.exc_info[1] is not None:
            more["traceback"] = logging.Formatter().formatException(record.exc_info)
        level: Level = next((name for name in ("error", "warning", "info") if record.levelno >= RANKS[name]), "debug")
        self.log.put(level, record.getMessage(), more)


def adopt_logging(log: Log, level: Level) -> None:
    """From now on everything that libraries log at `level` or above goes to `log`."""
    logging.basicConfig(handlers=[Bridge(log)], level=RANKS[level], force=True)


def write_to_stdout(data: bytes) -> None:
    """Write all of `data`, waiting for a slow reader; one that has gone away is no reason to fail."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(STDOUT, rest) :]
        except BlockingIOError:  # whoever started us made the pipe non-blocking
            time.sleep(0.01)
        except OSError:
            return
