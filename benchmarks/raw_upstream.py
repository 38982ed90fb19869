"""The cheapest upstream a benchmark can have: `python benchmarks/raw_upstream.py PORT` on 127.0.0.1.

Every chunk that arrives is answered with one small HTTP response, unread; `POUR <n>` is answered with n bytes.
"""

import asyncio
import sys
from typing import cast

import uvloop

RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello, world!"
BLOCK = bytes(1024 * 1024)


class Upstream(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Nothing is said first."""
        self.transport = cast(asyncio.Transport, transport)
        self.write = self.transport.write
        self.left_bytes = 0
        self.paused = False

    def data_received(self, data: bytes) -> None:
        """Answer without reading it."""
        if data.startswith(b"POUR "):
            self.left_bytes = int(data.split()[1])
            self.pour()
        else:
            self.write(RESPONSE)

    def pause_writing(self) -> None:
        """The socket is full."""
        self.paused = True

    def resume_writing(self) -> None:
        """The socket has room."""
        self.paused = False
        self.pour()

    def pour(self) -> None:
        """Write as much of what is left as the socket takes."""
        while self.left_bytes and not self.paused:
            block = BLOCK[: self.left_bytes]
            self.left_bytes -= len(block)
            self.write(block)


async def main(port: int) -> None:
    """Serve until killed."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Upstream, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
