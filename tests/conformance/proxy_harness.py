"""Starts either fault proxy as a process, speaks plain HTTP to it, and keeps small TCP servers behind it."""

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PATIENCE_S = 10.0
BUILTIN, TOXIPROXY = "builtin", "toxiproxy"


@dataclass(frozen=True)
class Reply:
    """One HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def error(self) -> str:
        """The words of a refusal, which must also carry its status and be sent as text/plain."""
        assert self.headers["content-type"].startswith("text/plain")
        assert self.json()["status"] == self.status
        return str(self.json()["error"])


@dataclass(frozen=True)
class Toxiproxy:
    """A running fault proxy of either kind."""

    kind: str
    port: int
    process: "subprocess.Popen[bytes]"

    @property
    def builtin(self) -> bool:
        return self.kind == BUILTIN

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: dict[str, str] | None = None,
        timeout_s: float = PATIENCE_S,
    ) -> Reply:
        """One request; a body that is not bytes is sent as JSON."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        try:
            client.request(method, path, data, headers or {})
            answer = client.getresponse()
            return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            client.close()

    def ok(self, method: str, path: str, body: object = None) -> Any:
        """The JSON of an answer that must be 2xx."""
        reply = self.call(method, path, body)
        assert reply.status < 300, (method, path, reply)
        return reply.json() if reply.body else None

    def proxy(self, upstream: str, name: str = "edge", listen: str = "127.0.0.1:0", **more: object) -> "Edge":
        """Create a proxy."""
        made = self.ok("POST", "/proxies", {"name": name, "listen": listen, "upstream": upstream, **more})
        return Edge(self, name, made["listen"])

    def clear(self) -> None:
        """Delete every proxy."""
        for name in self.ok("GET", "/proxies"):
            self.ok("DELETE", f"/proxies/{name}")


@dataclass
class Edge:
    """One proxy of a server."""

    server: Toxiproxy
    name: str
    listen: str

    def connect(self) -> socket.socket:
        """A new connection through the proxy, with patience."""
        host, _, port = self.listen.rpartition(":")
        return socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE_S)

    def add(self, kind: str, stream: str = "downstream", toxicity: float = 1, name: str = "", **values: object) -> Any:
        """Add a toxic."""
        body = {"type": kind, "stream": stream, "toxicity": toxicity, "name": name, "attributes": values}
        return self.server.ok("POST", f"/proxies/{self.name}/toxics", body)

    def set(self, toxic: str, **values: object) -> Any:
        """Update a toxic's attributes."""
        return self.server.ok("PATCH", f"/proxies/{self.name}/toxics/{toxic}", {"attributes": values})

    def drop(self, toxic: str) -> None:
        """Remove a toxic."""
        self.server.ok("DELETE", f"/proxies/{self.name}/toxics/{toxic}")

    def change(self, **fields: object) -> Any:
        """Update the proxy."""
        return self.server.ok("PATCH", f"/proxies/{self.name}", fields)


def real_server() -> str | None:
    """Where the real toxiproxy-server is, if anywhere."""
    return os.environ.get("TOXIPROXY_SERVER") or shutil.which("toxiproxy-server", path=_places())


def real_cli() -> str | None:
    """Where toxiproxy-cli is, if anywhere."""
    return os.environ.get("TOXIPROXY_CLI") or shutil.which("toxiproxy-cli", path=_places())


def _places() -> str:
    return os.pathsep.join([os.environ.get("PATH", ""), str(ROOT / ".lab" / "bin")])


@contextmanager
def running(kind: str, *flags: str) -> Iterator[Toxiproxy]:
    """A server of this kind as a process of its own, stopped at the end."""
    program = [sys.executable, "-m", "lab.proxy"]
    if kind == TOXIPROXY:
        found = real_server()
        if found is None:
            pytest.skip("no toxiproxy-server on PATH or in .lab/bin: `make toxiproxy` gets it")
        program = [found]
    port = free_port()
    argv = [*program, "-host", "127.0.0.1", "-port", str(port), *flags]
    environment = os.environ | {"LOG_LEVEL": "error"}
    process = subprocess.Popen(argv, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        server = Toxiproxy(kind, port, process)
        eventually(lambda: server.call("GET", "/version").status == 200)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port(host: str = "127.0.0.1") -> int:
    """A port that was free a moment ago."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def eventually(true: Callable[[], bool], within_s: float = PATIENCE_S) -> None:
    """Wait until something is true."""
    until_s = time.monotonic() + within_s
    while True:
        with suppress(OSError):
            if true():
                return
        assert time.monotonic() < until_s, "it never came true"
        time.sleep(0.01)


class Upstream:
    """A TCP server that runs `serve(socket)` in a thread for each connection and then closes it."""

    def __init__(self, serve: Callable[[socket.socket], None], host: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._serve = serve
        self._listener = socket.create_server((host, 0), family=family, backlog=1024)
        port = self._listener.getsockname()[1]
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop listening and close every connection."""
        for sock in [self._listener, *self._open]:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                sock.settimeout(PATIENCE_S)
                self._open.append(sock)
                threading.Thread(target=self._run, args=(sock,), daemon=True).start()

    def _run(self, sock: socket.socket) -> None:
        with suppress(OSError), sock:
            self._serve(sock)


def echo(sock: socket.socket) -> None:
    """Sends back what comes, until it ends."""
    while data := sock.recv(65536):
        sock.sendall(data)


def exactly(sock: socket.socket, size_bytes: int) -> bytes:
    """Read this many bytes, or what comes before the end."""
    held = bytearray()
    while len(held) < size_bytes and (data := sock.recv(min(65536, size_bytes - len(held)))):
        held += data
    return bytes(held)


def rest(sock: socket.socket) -> bytes:
    """Read to the end."""
    held = bytearray()
    while data := sock.recv(65536):
        held += data
    return bytes(held)


def ending(sock: socket.socket) -> str:
    """How a connection ends: `FIN` or `RST`; whatever data comes before is thrown away."""
    try:
        rest(sock)
    except (ConnectionResetError, BrokenPipeError):
        return "RST"
    return "FIN"


def silent(sock: socket.socket, for_s: float) -> bool:
    """Whether nothing comes, not even the end, for this long."""
    sock.settimeout(for_s)
    try:
        sock.recv(1)
    except TimeoutError:
        return True
    finally:
        sock.settimeout(PATIENCE_S)
    return False


def round_trip_s(sock: socket.socket, data: bytes = b"ping") -> float:
    """Seconds until all of this came back from an echo."""
    start_s = time.monotonic()
    sock.sendall(data)
    assert exactly(sock, len(data)) == data
    return time.monotonic() - start_s
