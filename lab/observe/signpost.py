"""
Tells Prometheus where a service is at this moment, by redirecting its scrapes.

Prometheus looks at new targets only once in 5 s, so a variant's first seconds would never be seen. Its targets are
therefore paths at this signpost, known before the variant starts; each scrape is redirected to the service itself.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

FORBIDDEN = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"


class Signpost:
    """An HTTP server on 127.0.0.1 that redirects each known path and answers 404 to all others."""

    def __init__(self, server: asyncio.Server) -> None:
        self._urls: Mapping[str, str] = {}
        self.asked = asyncio.Event()  # set at the first redirect since `point`
        self.asked_epoch_s: float | None = None  # when that was
        self._server = server

    @classmethod
    async def start(cls) -> Signpost:
        """Listen on a free port."""
        post: Signpost

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await post._serve(reader, writer)

        post = cls(await asyncio.start_server(serve, "127.0.0.1", 0))
        return post

    @property
    def address(self) -> str:
        """`127.0.0.1:port`."""
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"{host}:{port}"

    def point(self, urls: Mapping[str, str]) -> None:
        """Lead each path to its URL from now on, and no other path anywhere."""
        self._urls = urls
        self.asked.clear()
        self.asked_epoch_s = None

    async def close(self) -> None:
        """Stop listening."""
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                path = head.split(b" ", 2)[1].decode("latin-1")
                writer.write(FORBIDDEN if self._is_from_a_page(head) else self._answer(path))
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, IndexError):
            pass  # it went away, or was no HTTP client
        finally:
            writer.close()

    def _is_from_a_page(self, head: bytes) -> bool:
        """Whether a browser sent it, for a page of some site: Prometheus is the only client."""
        names = [line.partition(b":") for line in head.lower().split(b"\r\n")[1:]]
        if any(name == b"origin" or name.startswith(b"sec-fetch-") for name, _, _ in names):
            return True
        return any(name == b"host" and host.strip() != self.address.encode() for name, _, host in names)

    def _answer(self, path: str) -> bytes:
        url = self._urls.get(path)
        if url is None:
            return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        if not self.asked.is_set():
            self.asked.set()
            self.asked_epoch_s = time.time()
        return f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n".encode()
