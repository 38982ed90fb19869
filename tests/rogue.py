"""An HTTP server that can go wrong in every way a service can, by path, and counts what it was sent."""

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

LONG = "x" * 5_000


@dataclass
class Seen:
    """What the server was sent: requests by `method path`, heads and bodies in order, most connections at once."""

    url: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    heads: list[list[str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    connections: int = 0
    at_once: int = 0
    most_at_once: int = 0


def answer(status: str, body: str = "", *more: str) -> bytes:
    """Give an HTTP answer."""
    return "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *more, "", body]).encode()


ANSWERS = {
    "/ok": answer("201 Created", '{"id": 7}'),
    "/long": answer("200 OK", LONG),
    "/empty": b"HTTP/1.1 204 No Content\r\n\r\n",
    "/moved": answer("302 Found", "", "Location: /target-of-redirect"),
    "/missing": answer("404 Not Found"),
    "/broken": answer("503 Service Unavailable", "overloaded"),
    "/gateway": answer("504 Gateway Timeout"),
    "/chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
    "/until-closed": b"HTTP/1.0 200 OK\r\n\r\nthat is all",
    "/last": answer("200 OK", "bye", "Connection: close"),
    "/interim": b"HTTP/1.1 100 Continue\r\n\r\n" + answer("200 OK", "after all"),
    "/garbage": b"I am not a web server\r\n\r\n",
    "/half": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of",
    "/closed": b"",
}
CLOSES = {"/until-closed", "/last", "/garbage", "/half", "/closed"}


@asynccontextmanager
async def rogue() -> AsyncIterator[Seen]:
    """Serve on a free port; `/slow` answers after 50 ms, `/drip` sends a byte each 50 ms, `/silent` never answers.

    `/forgetful` answers and then closes the connection, though it said that it would keep it; `/reset` resets it
    without an answer, `/answer-then-reset` after it.
    """
    seen = Seen()
    tasks: set[asyncio.Task[None]] = set()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        tasks.add(task)
        seen.connections += 1
        try:
            while await _exchange(seen, reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the caller has gone, or the test is over
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(converse, "127.0.0.1", 0, backlog=1024)
    seen.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield seen
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()


async def _exchange(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    lengths = [int(line.split(":")[1]) for line in head if line.lower().startswith("content-length:")]
    seen.bodies.append(await reader.readexactly(lengths[0] if lengths else 0))
    seen.heads.append(head)
    method, path, _ = head[0].split(" ")
    seen.counts[f"{method} {path}"] += 1
    path = path.partition("?")[0]
    seen.at_once += 1
    seen.most_at_once = max(seen.most_at_once, seen.at_once)
    try:
        return await _respond(method, path, writer)
    finally:
        seen.at_once -= 1


async def _respond(method: str, path: str, writer: asyncio.StreamWriter) -> bool:
    if path == "/silent":
        await asyncio.sleep(3600)
    if path == "/drip":
        writer.write(answer("200 OK", LONG)[:-4_000])
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)
    if path in ("/reset", "/answer-then-reset"):
        if path == "/answer-then-reset":
            writer.write(ANSWERS["/ok"])
            await writer.drain()
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False
    if path == "/slow":
        await asyncio.sleep(0.05)
    data = ANSWERS.get(path, ANSWERS["/ok"])
    writer.write(data.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if method == "HEAD" else data)
    await writer.drain()
    return path not in CLOSES | {"/forgetful"}
