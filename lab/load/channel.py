"""How a Locust process that sends load hears what to do and tells what it did: by files, or by messages."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

import gevent
import locust
import msgspec
from gevent.event import Event

from lab.load import forms, words
from lab.load.forms import Beat, PreparedRequest, Row, Setup

_POLL_S = 0.02
_HERE_EVERY_S = 1.0
_LINGER_MS = 3_000


class Channel(Protocol):
    """The other end of a session. `worker` is its number among those that share the load, from 0."""

    worker: int

    def setup(self) -> Setup:
        """Wait for the plan; all requests of an open model have come by then."""

    def requests(self) -> list[PreparedRequest]:
        """Give the requests that have come since the last time."""

    def ready(self) -> float:
        """Say that all users are up, and wait for the word to begin; gives when, on perf_counter's scale."""

    def report(self, rows: Sequence[Row], beat: Beat) -> None:
        """Tell what ended since the last time, and the counts so far."""

    def done(self, recorded: int) -> None:
        """Say that nothing more will be told; so many rows were, in all."""


class Files:
    """The files of `forms`, for one process that carries the whole load."""

    worker = 0

    def __init__(self, directory: Path, runner: Any) -> None:
        self._directory = directory
        self._runner = runner
        self._rows = forms.LineWriter(directory / forms.OPERATIONS)
        self._beats = forms.LineWriter(directory / forms.BEATS)

    def setup(self) -> Setup:
        """Wait for setup.json: the services come up meanwhile."""
        found = forms.read(awaited(self._directory / forms.SETUP), Setup)
        self._reader = forms.RequestReader(self._directory / forms.requests_file(0))
        return found

    def requests(self) -> list[PreparedRequest]:
        """Read what was appended."""
        return self._reader.more()

    def ready(self) -> float:
        """Write ready.json, wait for go.json."""
        forms.write(self._directory / forms.READY, forms.Ready(os.getpid(), locust.__version__))
        return forms.read(awaited(self._directory / forms.GO), forms.Go).t0_s

    def report(self, rows: Sequence[Row], beat: Beat) -> None:
        """Append to both files."""
        self._rows.write(rows)
        self._beats.write([beat])

    def done(self, recorded: int) -> None:
        """End the process."""
        self._runner.quit()


class Messages:
    """Messages to and from a master.

    `entry` (`host:port`) is where this machine reaches what is loaded, the next address at the port above and so on;
    None: where the plan says.
    """

    def __init__(self, runner: Any, entry: str | None) -> None:
        self.worker = 0
        self._runner = runner
        self._entry = entry
        self._setup: Setup | None = None
        self._requests: list[PreparedRequest] = []
        self._decoder = msgspec.msgpack.Decoder(list[PreparedRequest])
        self._encoder = msgspec.json.Encoder()
        self._told, self._went = Event(), Event()
        self._t0_s = 0.0
        for kind, listener in {
            words.ASK_TIME: self._tell_time,
            words.REQUESTS: self._take_requests,
            words.SET_UP: self._set_up,
            words.GO: self._go,
        }.items():
            runner.register_message(kind, listener)

    def setup(self) -> Setup:
        """Knock until the master has sent everything."""
        while self._setup is None:
            self._say(words.HERE, protocol=words.PROTOCOL, host=socket.gethostname(), pid=os.getpid())
            self._told.wait(_HERE_EVERY_S)
        if self._entry is None:
            return self._setup
        host, _, port = self._entry.rpartition(":")
        ways = [(host, int(port) + above) for above in range(len(self._setup.addresses))]
        return msgspec.structs.replace(self._setup, addresses=ways)

    def requests(self) -> list[PreparedRequest]:
        """Give what the master has sent."""
        taken, self._requests = self._requests, []
        return taken

    def ready(self) -> float:
        """Tell the master; it translates the beginning to this machine's clock."""
        self._say(words.UP)
        self._went.wait()
        return self._t0_s

    def report(self, rows: Sequence[Row], beat: Beat) -> None:
        """Send both, as the lines of the files that the master keeps."""
        lines = self._encoder.encode_lines
        self._say(words.REPORT, rows=lines(rows), count=len(rows), beat=lines([beat]))

    def done(self, recorded: int) -> None:
        """Tell the master, who ends this process when all are done."""
        self._say(words.DONE, recorded=recorded)

    def is_set(self) -> None:
        """Say that users may come: none finds nothing prepared."""
        self._say(words.IS_SET)

    def drain(self) -> None:
        """Wait until everything said has left: a process that ends takes along what waits in its queue."""
        sock = self._runner.client.socket
        sock.close(linger=_LINGER_MS)
        sock.context.term()

    def _say(self, kind: str, **data: Any) -> None:
        self._runner.send_message(kind, data)

    def _tell_time(self, environment: Any, msg: Any) -> None:
        self._say(words.TIME, steady_s=perf_counter(), wall_s=time.time())

    def _take_requests(self, environment: Any, msg: Any) -> None:
        self._requests += self._decoder.decode(msg.data["requests"])
        self._say(words.TOOK)

    def _set_up(self, environment: Any, msg: Any) -> None:
        self.worker = msg.data["worker"]
        self._setup = msgspec.json.decode(msg.data["setup"], type=Setup)
        self._told.set()

    def _go(self, environment: Any, msg: Any) -> None:
        self._t0_s = msg.data["t0_s"]
        self._went.set()


def awaited(file: Path) -> Path:
    """A file, once it is there."""
    while not file.exists():
        gevent.sleep(_POLL_S)
    return file
