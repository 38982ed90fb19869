"""
A small server that behaves as the documentation of Grafana's HTTP API says (versions 11 and 12), for annotations.

Run as a program, `fake_grafana.py server ...`, it takes the environment of a real Grafana and prints what it was told.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

VERSION = "12.1.0"
TOKEN = "glsa_lab"
USER, PASSWORD = "admin", "secret"
CHANGED = {"message": "The dashboard has been changed by someone else", "status": "version-mismatch"}


@dataclass
class State:
    """What it holds, and how it behaves: `mood` is called before each request and may answer in its place."""

    annotations: list[dict[str, Any]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    password: str = PASSWORD
    prefix: str = ""
    mood: Any = None
    loud: bool = False


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    state: State

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def answer(self, status: int, body: object, headers: Mapping[str, str] | None = None) -> None:
        """Send JSON, or text as it is."""
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "text/html" if isinstance(body, str) else "application/json; charset=UTF-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do(self) -> None:
        """Any verb."""
        parts = urlsplit(self.path)
        self.body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"null")
        self.state.requests.append(f"{self.command} {self.path}")
        if self.state.mood and self.state.mood(self):
            return
        path = parts.path.removeprefix(self.state.prefix)
        if path == "/api/health":
            self.answer(200, {"commit": "fake", "database": "ok", "version": VERSION})
        elif refusal := self.refusal():
            self.answer(401, {"message": refusal[0], "messageId": refusal[1], "statusCode": 401, "traceID": ""})
        elif path == "/api/annotations":
            self.create() if self.command == "POST" else self.find(parse_qs(parts.query))
        elif path.startswith("/api/annotations/") and self.command == "PATCH":
            self.patch(int(path.rpartition("/")[2]))
        else:
            self.answer(404, {"message": "Not found"})

    do_GET = do_POST = do_PATCH = do  # noqa: N815 - the names that http.server calls

    def refusal(self) -> tuple[str, str] | None:
        """Why these credentials are not taken, as Grafana says it."""
        kind, _, given = self.headers.get("Authorization", "").partition(" ")
        if kind == "Bearer":
            return None if given == TOKEN else ("Invalid API key", "api-key.invalid")
        if kind == "Basic":
            right = base64.b64decode(given).decode() == f"{USER}:{self.state.password}"
            return None if right else ("Invalid username or password", "password-auth.failed")
        return "Unauthorized", "auth.unauthorized"

    def create(self) -> None:
        """POST: a point has its beginning for its end."""
        if not self.body.get("text"):
            self.answer(400, {"message": "Failed to save annotation"})
            return
        one = {
            "id": len(self.state.annotations) + 1, "alertId": 0, "dashboardUID": None, "panelId": 0, "userId": 1,
            "time": self.body.get("time") or int(time.time() * 1000), "tags": self.body.get("tags") or [],
            "text": self.body["text"], "data": {},
        }  # fmt: skip
        one["timeEnd"] = self.body.get("timeEnd") or one["time"]
        self.state.annotations.append(one)
        self.tell(one)
        self.answer(200, {"message": "Annotation added", "id": one["id"]})

    def patch(self, number: int) -> None:
        """PATCH: what is null, 0 or empty stays, but an empty list of tags replaces the tags."""
        one = next((each for each in self.state.annotations if each["id"] == number), None)
        if one is None:
            self.answer(404, {"message": "Annotation not found"})
            return
        if self.body.get("tags") is not None:
            one["tags"] = self.body["tags"]
        one.update({key: self.body[key] for key in ("text", "time", "timeEnd") if self.body.get(key)})
        self.tell(one)
        self.answer(200, {"message": "Annotation patched"})

    def find(self, query: Mapping[str, list[str]]) -> None:
        """GET: those with all of the tags, the one that ends last first."""
        wanted = set(query.get("tags", ()))
        found = [each for each in self.state.annotations if wanted <= set(each["tags"])]
        found.sort(key=lambda each: (each["timeEnd"], each["time"]), reverse=True)
        self.answer(200, found[: int(query.get("limit", ["100"])[0])])

    def tell(self, one: Mapping[str, Any]) -> None:
        """Print an annotation, for a log."""
        if self.state.loud:
            print(json.dumps(one), flush=True)


@contextmanager
def grafana(**settings: Any) -> Iterator[tuple[str, State]]:
    """One that listens on 127.0.0.1; gives its URL and its state."""
    state = State(**settings)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"state": state}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{state.prefix}", state
    finally:
        server.shutdown()
        server.server_close()


def main() -> None:
    """Serve where a Grafana with this environment would, and print what it would have been provisioned with."""
    told = {name: value for name, value in os.environ.items() if name.startswith(("GF_", "LAB_DASH", "PROMETHEUS"))}
    print(json.dumps({"arguments": sys.argv[1:], "environment": told}), flush=True)
    state = State(password=os.environ["GF_SECURITY_ADMIN_PASSWORD"], loud=True)
    where = (os.environ["GF_SERVER_HTTP_ADDR"], int(os.environ["GF_SERVER_HTTP_PORT"]))
    ThreadingHTTPServer(where, type("Bound", (Handler,), {"state": state})).serve_forever()


if __name__ == "__main__":
    main()
