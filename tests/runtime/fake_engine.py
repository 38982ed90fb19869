"""The door of a Docker engine, as its API documents it, and a `docker` on PATH: whatever the two may say."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest


class Answers(BaseHTTPRequestHandler):
    """Answers by path; what is not there is 404 in the engine's form."""

    given: dict[str, Any]

    def do_GET(self) -> None:
        """Answer."""
        path = unquote(urlsplit(self.path).path)
        found = self.given.get(path)
        what = {"message": f"No such {path}"} if found is None else found
        body = what if isinstance(what, bytes) else json.dumps(what).encode()
        self.send_response(404 if found is None else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        """Answer."""
        self.do_GET()

    def address_string(self) -> str:
        """No address: it is reached by a socket of Unix."""
        return ""

    def log_message(self, *words: object) -> None:
        """Say nothing."""


class Listens(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """At a path."""

    daemon_threads = True


@contextmanager
def engine(folder: Path, patch: pytest.MonkeyPatch, **given: Any) -> Iterator[dict[str, Any]]:
    """An engine that answers, at DOCKER_HOST; gives what it answers by path, to be changed at will."""
    answers = {"/_ping": b"OK", "/version": {"Version": "28.2.2"}, "/images/json": [], **given}
    file = folder / "engine.sock"
    server = Listens(str(file), type("Given", (Answers,), {"given": answers}))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    patch.setenv("DOCKER_HOST", f"unix://{file}")
    patch.delenv("LAB_ENGINE_ADDRESS", raising=False)
    try:
        yield answers
    finally:
        server.shutdown()
        server.server_close()


def docker(folder: Path, patch: pytest.MonkeyPatch, script: str) -> None:
    """Put a `docker` first on PATH that runs this script of sh."""
    (folder / "bin").mkdir(exist_ok=True)
    program = folder / "bin" / "docker"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    patch.setenv("PATH", str(folder / "bin"), prepend=":")
