"""
The door to a disk's process: HTTP on 127.0.0.1, for the lab that started it.

    GET  /state      what it has seen and what is wrong with it, as JSON
    GET  /metrics    the same for Prometheus
    POST /settle     all that is there now is on disk
    POST /cut        the power goes: {"keeps": "nothing" | "some", "seed": 0}; answers what was undone
    POST /trouble    {"fsync_ms": 20} | {"leaves_bytes": 0 | null} | {"on": "write", "fails": true}

A POST needs the header `X-Lab-Token`, whose value this process has in its environment (DISK_TOKEN): pages of a browser
cannot know it, and no other program of this machine needs to.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from lab.disk.cut import cut_power
from lab.disk.store import Store
from lab.disk.trouble import Trouble

TOKEN = "X-Lab-Token"
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Control:
    """What the requests ask for."""

    def __init__(self, store: Store, trouble: Trouble, token: str) -> None:
        self.store, self.trouble, self.token = store, trouble, token
        self._registry = CollectorRegistry()
        self._registry.register(Counts(store, trouble))

    def state(self) -> Mapping[str, Any]:
        """Counts since it was mounted, bytes not synced now, what is wrong now."""
        return {**asdict(self.store.counts), "dirty_bytes": self.store.dirty_bytes(), **self.trouble.state()}

    def metrics(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self._registry)

    def post(self, path: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """Do what a POST asks for; raises KeyError for a path that is none, ValueError for words that are none."""
        if path == "/settle":
            self.store.settle()
            return self.state()
        if path == "/cut":
            return asdict(cut_power(self.store, str(asked.get("keeps", "nothing")), int(asked.get("seed", 0))))
        if path != "/trouble":
            raise KeyError(path)
        if "fsync_ms" in asked:
            self.trouble.slow(float(asked["fsync_ms"]))
        if "leaves_bytes" in asked:
            self.trouble.fill(None if asked["leaves_bytes"] is None else int(asked["leaves_bytes"]))
        if "on" in asked:
            self.trouble.fail(asked["on"], bool(asked["fails"]))
        return self.state()


def serve(control: Control, port: int) -> ThreadingHTTPServer:
    """A server that listens at 127.0.0.1; `serve_forever` is the caller's to call. OSError where the port is taken."""

    class Handler(_Handler):
        pass

    Handler.control = control
    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


class _Handler(BaseHTTPRequestHandler):
    control: Control

    def do_GET(self) -> None:
        """What it has seen."""
        if self.path == "/metrics":
            self._answer(200, self.control.metrics(), METRICS_TYPE)
        elif self.path == "/state":
            self._answer(200, json.dumps(self.control.state()).encode())
        else:
            self._answer(404, b'{"error": "there is /state and /metrics"}')

    def do_POST(self) -> None:
        """What is asked of it."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get(TOKEN) != self.control.token:
            self._answer(403, b'{"error": "the token is missing or wrong"}')
            return
        try:
            self._answer(200, json.dumps(self.control.post(self.path, json.loads(body or b"{}"))).encode())
        except KeyError as error:
            self._answer(404, json.dumps({"error": f"there is no {error}"}).encode())
        except (ValueError, TypeError) as error:
            self._answer(400, json.dumps({"error": str(error)}).encode())
        except OSError as error:
            self._answer(500, json.dumps({"error": repr(error)}).encode())
            raise

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in http.server
        """Requests are not logged."""

    def _answer(self, status: int, body: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Counts(Collector):
    """What the disk has seen, for Prometheus."""

    def __init__(self, store: Store, trouble: Trouble) -> None:
        self._store, self._trouble = store, trouble

    def collect(self) -> Iterator[Metric]:
        """Read now."""
        counts = self._store.counts
        for name, what, value in (
            ("disk_writes", "Writes.", counts.writes),
            ("disk_written_bytes", "Bytes written.", counts.written_bytes),
            ("disk_fsyncs", "Syncs of files and folders that succeeded.", counts.fsyncs),
            ("disk_fsync_seconds", "Time spent in them.", counts.fsync_s),
            ("disk_undone_bytes", "Bytes that power losses took.", counts.undone_bytes),
            ("disk_undone_names", "Names that power losses undid.", counts.undone_names),
        ):
            yield CounterMetricFamily(name, what, value=value)
        errors = CounterMetricFamily("disk_errors", "Errors given on purpose, by what was asked.", labels=["given"])
        for given, count in list(counts.errors.items()):
            errors.add_metric([given], count)
        yield errors
        yield GaugeMetricFamily("disk_dirty_bytes", "Bytes that a power loss would take.", self._store.dirty_bytes())
        yield GaugeMetricFamily("disk_free_bytes", "Free space, as statvfs reports it.", self._trouble.free_bytes)
