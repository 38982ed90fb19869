"""A quick HTTP server that stops dead for a while, again and again, as a garbage collection or a full disk would.

    python benchmarks/stalling_server.py [--stall-s 2 --every-s 12 --first-s 5]

It prints its port. `--first-s` counts from the first connection, so that a generator may take its time to start.
While it stalls it reads nothing: what arrives waits in the kernel and is answered afterwards.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from typing import cast

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nok\n"
_END_OF_HEAD = b"\r\n\r\n"


class Answering(asyncio.Protocol):
    """Answers every request that has no body."""

    def __init__(self, connected: asyncio.Event) -> None:
        self.connected = connected

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self.transport = cast(asyncio.Transport, transport)
        self.rest = b""
        self.connected.set()

    def data_received(self, data: bytes) -> None:
        """Answer as many requests as have come in whole."""
        *whole, self.rest = (self.rest + data).split(_END_OF_HEAD)
        self.transport.write(_ANSWER * len(whole))


async def serve(stall_s: float, every_s: float, first_s: float) -> None:
    """Serve for ever; every `every_s` seconds, first after `first_s`, do nothing at all for `stall_s`."""
    loop = asyncio.get_running_loop()
    connected = asyncio.Event()
    server = await loop.create_server(lambda: Answering(connected), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await connected.wait()
    next_s = time.monotonic() + first_s
    while True:
        await asyncio.sleep(max(0.0, next_s - time.monotonic()) if stall_s else 3600)
        time.sleep(stall_s)  # noqa: ASYNC251 - this is the point
        next_s += every_s


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--stall-s", type=float, default=0.0)
    parser.add_argument("--every-s", type=float, default=12.0)
    parser.add_argument("--first-s", type=float, default=5.0)
    arguments = parser.parse_args()
    import uvloop

    uvloop.run(serve(arguments.stall_s, arguments.every_s, arguments.first_s))


if __name__ == "__main__":
    main()
